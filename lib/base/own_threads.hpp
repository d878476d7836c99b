// Threads that the runtime started, and that never post to a loop by themselves.

#pragma once

#include <atomic>

namespace jumpcut::impl {

extern constinit std::atomic<int> own_threads;

/// One of the runtime's own threads holds one of these while it has nothing to do for a loop.
class OwnThread {
 public:
  OwnThread() noexcept { own_threads.fetch_add(1, std::memory_order_relaxed); }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  ~OwnThread() { own_threads.fetch_sub(1, std::memory_order_relaxed); }
};

/// Whether the process has threads beside the calling one and the runtime's own. Looks into /proc;
/// true if that can't be read.
bool foreign_threads_exist() noexcept;

}  // namespace jumpcut::impl
