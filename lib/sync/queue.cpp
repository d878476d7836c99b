#include <jumpcut/queue.hpp>

#include <jumpcut/cancelled.hpp>

#include <algorithm>

namespace jumpcut::impl {

void QueueBase::wait_for_room(TaskBase& task) {
  while (full()) {
    if (shutdown_) refuse_put();
    loop_.bind(task, putters_.what());
    QueuedWait wait(task, putters_.what());
    try {
      putters_.wait(wait);
    } catch (const Cancelled&) {
      if (wait.is_woken()) pass_on_put();
      throw;
    }
  }
  if (shutdown_) refuse_put();
}

void QueueBase::wait_for_item(TaskBase& task) {
  while (size_ == 0) {
    if (shutdown_) refuse_get();
    loop_.bind(task, getters_.what());
    QueuedWait wait(task, getters_.what());
    try {
      getters_.wait(wait);
    } catch (const Cancelled&) {
      if (wait.is_woken()) pass_on_get();
      throw;
    }
  }
}

void QueueBase::refuse_put() const {
  if (shutdown_) throw QueueShutDown();
  throw QueueFull();
}

void QueueBase::refuse_get() const {
  if (shutdown_) throw QueueShutDown();
  throw QueueEmpty();
}

void QueueBase::task_done() {
  if (unfinished_ == 0) {
    throw ValueError(
        "Queue.task_done: called more often than items were put in; call it once for each get()");
  }
  joiners_.check_can_wake("Queue.task_done");
  if (--unfinished_ == 0) joiners_.wake_all();
}

void QueueBase::join() {
  TaskBase& task = TaskBase::running(joiners_.what());
  if (unfinished_ == 0) return;
  loop_.bind(task, joiners_.what());
  QueuedWait wait(task, joiners_.what());
  joiners_.wait(wait);
}

void QueueBase::check_can_shut_down() const {
  for (const WaitQueue* waiters : {&getters_, &putters_, &joiners_}) {
    waiters->check_can_wake("Queue.shutdown");
  }
}

void QueueBase::begin_shutdown(bool immediate) {
  shutdown_ = true;
  if (immediate) {
    unfinished_ -= std::min(unfinished_, size_);
    size_ = 0;
    if (unfinished_ == 0) joiners_.wake_all();
  }
  getters_.wake_all();
  putters_.wake_all();
}

}  // namespace jumpcut::impl
