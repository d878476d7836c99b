#pragma once

#include <jumpcut/impl/wait_queue.hpp>
#include <jumpcut/lock.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// A lock whose holders can wait until another holder tells them that something has changed:
/// asyncio.Condition. A Lockable, so `std::unique_lock hold(condition)` is `async with condition`.
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed.
class JUMPCUT_API Condition {
 public:
  /// With a lock of its own.
  Condition() noexcept : Condition("Condition.lock()", "Condition.wait()") {}
  /// With a lock that others use too, and that outlives it.
  explicit Condition(Lock& lock) noexcept
      : lock_(lock), waiters_("Condition.wait()", impl::WaitQueue::Needed::by_all) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// The lock's.
  void lock() { lock_.lock(); }
  bool try_lock() noexcept { return lock_.try_lock(); }
  void unlock() { lock_.unlock(); }
  bool locked() const noexcept { return lock_.locked(); }
  void acquire() { lock_.lock(); }
  void release() { lock_.unlock(); }

  /// Unlocks the lock; waits until notify() comes to it, or for nothing, which may happen: so look
  /// again, or use wait_for(). Returns, or throws, once it has locked the lock again: a Cancelled
  /// that comes while it does is held back until then, and the last one counts. Throws
  /// RuntimeError if the lock is not locked, outside a task, and in another loop's.
  void wait();

  /// Waits until predicate() is true, which is called with the lock held; returns what it returned.
  /// If that is so at once, it does not matter whether the lock is locked.
  template <class Predicate>
  std::decay_t<std::invoke_result_t<Predicate&>> wait_for(Predicate&& predicate) {
    impl::refuse_null(predicate, "Condition.wait_for");
    for (;;) {
      std::decay_t<std::invoke_result_t<Predicate&>> result = predicate();
      if (result) return result;
      wait();
    }
  }

  /// Wakes so many of those that wait, in the order in which they came; they go on once they have
  /// got the lock. Throws RuntimeError if the lock is not locked.
  void notify(std::size_t count = 1);
  void notify_all();

  /// Tasks that wait for notify(), or were woken or cancelled and have not gone on yet.
  std::size_t n_waiting() const noexcept { return waiters_.size(); }

 private:
  friend class Barrier;

  Condition(const char* locking, const char* waiting) noexcept
      : own_(locking), lock_(own_), waiters_(waiting, impl::WaitQueue::Needed::by_all) {}
  std::exception_ptr lock_again(impl::TaskBase& task);
  void check_locked(const char* call) const;

  Lock own_;
  Lock& lock_;
  impl::WaitQueue waiters_;
  impl::LoopBound loop_;
};

}  // namespace jumpcut
