// How a loop runs until something is done.

#pragma once

#include <jumpcut/impl/future_base.hpp>

#include <cstddef>
#include <vector>

namespace jumpcut::impl {

class LoopState;

/// Stops the loop when all of some futures are done, one tick later as any callback; as long as it
/// lives.
class StopWhenDone {
 public:
  explicit StopWhenDone(LoopState& loop) noexcept : loop_(loop) {}
  StopWhenDone(const StopWhenDone&) = delete;
  StopWhenDone& operator=(const StopWhenDone&) = delete;
  ~StopWhenDone();

  /// Throws std::bad_alloc.
  void add(FutureBase& future);
  /// And the callbacks have run.
  bool all_done() const noexcept { return left_ == 0; }

 private:
  class Callback;

  LoopState& loop_;
  std::size_t left_ = 0;
  std::vector<Callback*> callbacks_;  // null once it is gone
};

}  // namespace jumpcut::impl
