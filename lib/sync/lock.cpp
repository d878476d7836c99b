#include <jumpcut/lock.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>

namespace jumpcut {

void Lock::lock_in_turn(impl::TaskBase& task) {
  if (try_lock()) return;
  loop_.bind(task, waiters_.what());
  impl::QueuedWait wait(task, waiters_.what(), &holder_);
  try {
    waiters_.wait(wait);
  } catch (const Cancelled&) {
    // It may have been woken before it was cancelled: then that wake is another's.
    if (!wait.is_orphaned() && !locked()) waiters_.wake_first();
    throw;
  }
  holder_ = task.number;
}

void Lock::unlock() {
  if (!locked()) throw RuntimeError("Lock.unlock: it is not locked");
  waiters_.check_can_wake("Lock.unlock");
  holder_ = 0;
  waiters_.wake_first();
}

}  // namespace jumpcut
