#include <jumpcut/semaphore.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>

#include <string>

namespace jumpcut {

Semaphore::Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound, const char* what)
    : waiters_(what, impl::WaitQueue::Needed::by_woken), value_(value), bound_(bound) {
  if (value < 0) {
    throw ValueError("a semaphore begins with 0 permits or more, not with " +
                     std::to_string(value));
  }
}

void Semaphore::acquire_in_turn(impl::TaskBase& task) {
  if (try_acquire()) return;
  loop_.bind(task, waiters_.what());
  impl::QueuedWait wait(task, waiters_.what());
  try {
    waiters_.wait(wait);
  } catch (const Cancelled&) {
    if (wait.is_orphaned()) throw;
    if (wait.is_woken()) ++value_;
    wake_all_allowed();
    throw;
  }
  // Others came while a permit was free, and had to wait for this one to go first.
  wake_all_allowed();
}

void Semaphore::wake_all_allowed() {
  while (value_ > 0 && waiters_.wake_next()) --value_;
}

void Semaphore::release() {
  if (value_ >= bound_) {
    throw ValueError("Semaphore.release: all " + std::to_string(bound_) + " permits are back");
  }
  waiters_.check_can_wake("Semaphore.release");
  if (!waiters_.wake_next()) ++value_;
}

}  // namespace jumpcut
