#include <jumpcut/event.hpp>

namespace jumpcut {

void Event::wait_for_set(impl::TaskBase& task) {
  loop_.bind(task, waiters_.what());
  impl::QueuedWait wait(task, waiters_.what());
  waiters_.wait(wait);
}

void Event::set() {
  waiters_.check_can_wake("Event.set");
  set_ = true;
  waiters_.wake_all();
}

}  // namespace jumpcut
