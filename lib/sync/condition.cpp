#include <jumpcut/condition.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>

#include <string>

namespace jumpcut {

void Condition::check_locked(const char* call) const {
  if (lock_.locked()) return;
  throw RuntimeError(std::string(call) + ": the lock is not locked; lock() it first");
}

void Condition::wait() {
  impl::TaskBase& task = impl::TaskBase::running(waiters_.what());
  check_locked(waiters_.what());
  loop_.bind(task, waiters_.what());
  lock_.loop_.bind(task, waiters_.what());  // it must not fail when it is locked again
  lock_.unlock();
  std::exception_ptr error;
  try {
    impl::QueuedWait wait(task, waiters_.what());
    waiters_.wait(wait);
  } catch (...) {
    error = std::current_exception();
  }
  if (std::exception_ptr later = lock_again(task)) error = later;
  if (error == nullptr) return;
  // It may have been woken before: then that wake is another's. If not, another wakes for nothing.
  waiters_.wake_next();
  std::rethrow_exception(error);
}

std::exception_ptr Condition::lock_again(impl::TaskBase& task) {
  // A cancelled scope would cancel this wait again and again.
  struct WithoutScope {
    impl::TaskBase& task;
    impl::ScopeBase* scope;
    explicit WithoutScope(impl::TaskBase& whose) noexcept : task(whose), scope(whose.scope()) {
      if (scope != nullptr) task.set_scope(nullptr);
    }
    ~WithoutScope() {
      if (scope != nullptr) task.set_scope(scope);
    }
  };
  const WithoutScope without(task);
  std::exception_ptr last;
  for (;;) {
    try {
      lock_.lock();
      return last;
    } catch (const Cancelled&) {
      last = std::current_exception();
    }
  }
}

void Condition::notify(std::size_t count) {
  check_locked("Condition.notify");
  waiters_.check_can_wake("Condition.notify");
  while (count > 0 && waiters_.wake_next()) --count;
}

void Condition::notify_all() {
  check_locked("Condition.notify_all");
  waiters_.check_can_wake("Condition.notify_all");
  waiters_.wake_all();
}

}  // namespace jumpcut
