#pragma once

#include <jumpcut/impl/wait_queue.hpp>

#include <cstddef>

namespace jumpcut::impl {

/// What a queue is apart from its items: how many there are, and who waits.
class JUMPCUT_API QueueBase {
 public:
  QueueBase(const QueueBase&) = delete;
  QueueBase& operator=(const QueueBase&) = delete;

  /// Items that are in it.
  std::size_t qsize() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Never, if it has no limit.
  bool full() const noexcept { return maxsize_ > 0 && size_ >= static_cast<std::size_t>(maxsize_); }
  /// As given; no limit if 0 or less.
  std::ptrdiff_t maxsize() const noexcept { return maxsize_; }
  bool is_shutdown() const noexcept { return shutdown_; }

  /// An item that was taken out is dealt with. Throws ValueError if it is called more often than
  /// items were put in.
  void task_done();
  /// Returns once task_done() was called for each item that was put in; at once, and without
  /// switching, if there is nothing to wait for. Throws Cancelled, and RuntimeError outside a task
  /// and in another loop's.
  void join();

 protected:
  explicit QueueBase(std::ptrdiff_t maxsize) noexcept : maxsize_(maxsize) {}
  ~QueueBase() = default;

  /// Returns once an item can be added. Throws QueueShutDown.
  void wait_to_put() {
    TaskBase& task = TaskBase::running(putters_.what());
    if (shutdown_ || full()) [[unlikely]]
      wait_for_room(task);
    getters_.check_can_wake(putters_.what());
  }
  /// Throws QueueFull if that isn't now.
  void check_can_put() const {
    if (shutdown_ || full()) [[unlikely]]
      refuse_put();
    getters_.check_can_wake("Queue.put_nowait");
  }
  void count_put() {
    ++size_;
    ++unfinished_;
    getters_.wake_next();
  }
  /// It failed to add an item. It may have been woken for that: then it is another's turn.
  void pass_on_put() {
    if (!full()) putters_.wake_next();
  }

  /// Returns once there is an item. Throws QueueShutDown if none will come.
  void wait_to_get() {
    TaskBase& task = TaskBase::running(getters_.what());
    if (size_ == 0) [[unlikely]]
      wait_for_item(task);
    putters_.check_can_wake(getters_.what());
  }
  /// Throws QueueEmpty if there is none.
  void check_can_get() const {
    if (size_ == 0) [[unlikely]]
      refuse_get();
    putters_.check_can_wake("Queue.get_nowait");
  }
  void count_get() {
    --size_;
    putters_.wake_next();
  }
  void pass_on_get() {
    if (size_ > 0) getters_.wake_next();
  }

  void check_can_shut_down() const;
  /// If `immediate`, the items are gone already.
  void begin_shutdown(bool immediate);

 private:
  void wait_for_room(TaskBase& task);
  void wait_for_item(TaskBase& task);
  [[noreturn]] void refuse_put() const;
  [[noreturn]] void refuse_get() const;

  WaitQueue getters_{"Queue.get()", WaitQueue::Needed::by_woken};
  WaitQueue putters_{"Queue.put()", WaitQueue::Needed::by_woken};
  WaitQueue joiners_{"Queue.join()", WaitQueue::Needed::by_waiting};
  LoopBound loop_;
  const std::ptrdiff_t maxsize_;
  std::size_t size_ = 0;
  std::size_t unfinished_ = 0;
  bool shutdown_ = false;
};

}  // namespace jumpcut::impl
