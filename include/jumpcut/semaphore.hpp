#pragma once

#include <jumpcut/impl/wait_queue.hpp>

#include <cstddef>
#include <limits>

namespace jumpcut {

/// A number of permits that tasks take and give back: asyncio.Semaphore. Those who wait get one in
/// the order in which they came, and nobody overtakes them. A Lockable, so that
/// `std::unique_lock hold(semaphore)` is `async with semaphore`.
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed.
class JUMPCUT_API Semaphore {
 public:
  /// Throws ValueError for less than 0.
  explicit Semaphore(std::ptrdiff_t value = 1)
      : Semaphore(value, std::numeric_limits<std::ptrdiff_t>::max(), "Semaphore.acquire()") {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Returns once it has taken a permit; at once, and without switching, if one is free and nobody
  /// waits. Throws Cancelled, and RuntimeError outside a task and in another loop's.
  void acquire() {
    impl::TaskBase& task = impl::TaskBase::running(waiters_.what());
    if (value_ == 0 || !waiters_.empty()) [[unlikely]]
      return acquire_in_turn(task);
    --value_;
  }
  /// Takes a permit if that needs no waiting. From callbacks too.
  bool try_acquire() noexcept {
    if (locked()) return false;
    --value_;
    return true;
  }
  /// Gives one back. If a task waits, the first is woken and the permit is its. From callbacks too.
  /// Throws ValueError if there would be more than there can be.
  void release();
  /// Whether acquire() would wait.
  bool locked() const noexcept { return value_ == 0 || waiters_.has_uncancelled(); }
  /// Permits that are free: neither taken nor meant for a task that was woken.
  std::ptrdiff_t value() const noexcept { return value_; }

  /// What std::unique_lock needs.
  void lock() { acquire(); }
  bool try_lock() noexcept { return try_acquire(); }
  void unlock() { release(); }

  /// Tasks that wait in it, or were woken or cancelled and have not gone on yet.
  std::size_t n_waiting() const noexcept { return waiters_.size(); }

 protected:
  Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound, const char* what);

 private:
  void acquire_in_turn(impl::TaskBase& task);
  void wake_all_allowed();

  impl::WaitQueue waiters_;
  impl::LoopBound loop_;
  std::ptrdiff_t value_;
  const std::ptrdiff_t bound_;
};

/// A semaphore that never has more permits than it began with: asyncio.BoundedSemaphore. To give
/// back one more is a ValueError.
class JUMPCUT_API BoundedSemaphore : public Semaphore {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t value = 1)
      : Semaphore(value, value, "BoundedSemaphore.acquire()") {}
};

}  // namespace jumpcut
