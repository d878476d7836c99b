#pragma once

#include <jumpcut/impl/wait_queue.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut {

/// Lets one task at a time through: asyncio.Lock, and a Lockable, so `std::unique_lock hold(lock)`
/// is `async with lock`. Those who wait get it in the order in which they came, and nobody
/// overtakes them. Belongs to no task: any may unlock it. Not reentrant.
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed.
class JUMPCUT_API Lock {
 public:
  Lock() noexcept : Lock("Lock.lock()") {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Returns once it has locked it; at once, and without switching, if it is unlocked and nobody
  /// waits. Throws Cancelled, and RuntimeError outside a task and in another loop's.
  void lock() {
    impl::TaskBase& task = impl::TaskBase::running(waiters_.what());
    if (locked() || !waiters_.empty()) [[unlikely]]
      return lock_in_turn(task);
    holder_ = task.number;
  }
  /// Locks it if that needs no waiting. From callbacks too.
  bool try_lock() noexcept {
    if (locked() || waiters_.has_uncancelled()) return false;
    const impl::TaskBase* task = impl::TaskBase::current();
    holder_ = task != nullptr ? task->number : no_task;
    return true;
  }
  /// Unlocks it and wakes the first that waits, which will lock it. Throws RuntimeError if it is
  /// not locked.
  void unlock();
  bool locked() const noexcept { return holder_ != 0; }

  /// asyncio's names.
  void acquire() { lock(); }
  void release() { unlock(); }

  /// Tasks that wait in it, or were woken or cancelled and have not gone on yet.
  std::size_t n_waiting() const noexcept { return waiters_.size(); }

 private:
  friend class Condition;

  static constexpr std::uint64_t no_task = ~std::uint64_t{0};

  explicit Lock(const char* what) noexcept : waiters_(what, impl::WaitQueue::Needed::by_woken) {}
  void lock_in_turn(impl::TaskBase& task);

  impl::WaitQueue waiters_;
  impl::LoopBound loop_;
  std::uint64_t holder_ = 0;  // the number of the task that locked it, for reports; 0: unlocked
};

}  // namespace jumpcut
