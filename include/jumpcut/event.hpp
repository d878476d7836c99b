#pragma once

#include <jumpcut/impl/wait_queue.hpp>

#include <cstddef>

namespace jumpcut {

/// A flag that tasks can wait for: asyncio.Event. set() lets everyone through, and keeps letting
/// everyone through until clear().
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed; those that set() has woken need it no more.
class JUMPCUT_API Event {
 public:
  Event() noexcept : waiters_("Event.wait()", impl::WaitQueue::Needed::by_waiting) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Returns once the flag is set; at once, and without switching, if it is set already. Of a
  /// flag that is cleared again right away too. Throws Cancelled, and RuntimeError outside a task
  /// and in another loop's.
  void wait() {
    impl::TaskBase& task = impl::TaskBase::running(waiters_.what());
    if (!set_) wait_for_set(task);
  }

  /// Sets the flag and wakes all that wait, in the order in which they came: they go on when it is
  /// their turn, not before set() returns. From callbacks too.
  void set();
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// Tasks that wait in it, or were woken or cancelled and have not gone on yet.
  std::size_t n_waiting() const noexcept { return waiters_.size(); }

 private:
  void wait_for_set(impl::TaskBase& task);

  impl::WaitQueue waiters_;
  impl::LoopBound loop_;
  bool set_ = false;
};

}  // namespace jumpcut
