#pragma once

#include <jumpcut/impl/job.hpp>

namespace jumpcut::impl {

/// Part of what is posted. The queue's from push() until drain() or close() returns it.
struct PostNode {
  PostNode* next = nullptr;
};

/// What another thread, or a signal, has the loop run.
class PostedCallback : public PostNode, public Callback {
 protected:
  ~PostedCallback() = default;
};

}  // namespace jumpcut::impl
