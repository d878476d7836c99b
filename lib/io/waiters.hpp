// Tasks that wait until one of our own objects lets them go on.

#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/wait_queue.hpp>

namespace jumpcut::impl {

/// One object's. Each task that waits holds the object.
class Waiters {
 public:
  /// `what` the object is, for reports.
  explicit Waiters(const char* what) noexcept : queue_(what, WaitQueue::Needed::by_all) {}

  /// Returns once somebody calls wake_all(). Throws Cancelled, RuntimeError outside a task.
  void wait(const char* call) {
    QueuedWait one(TaskBase::running(call), call);
    queue_.wait(one);
  }
  void wake_all() {
    try {
      queue_.check_can_wake("close");
    } catch (const RuntimeError&) {
      return;  // the loop is closed, and they never go on
    }
    queue_.wake_all();
  }

 private:
  WaitQueue queue_;
};

}  // namespace jumpcut::impl
