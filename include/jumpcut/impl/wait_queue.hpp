#pragma once

#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut::impl {

class WaitQueue;

/// One task's place in a WaitQueue, on that task's stack.
class JUMPCUT_API QueuedWait {
 public:
  /// `what` is what the task waits in, for reports: "Lock.lock()". `holder` has the number of the
  /// task that has it, where that is known.
  QueuedWait(TaskBase& task, const char* what, std::uint64_t* holder = nullptr) noexcept
      : waiting_(task.space(), what, holder) {}
  QueuedWait(const QueuedWait&) = delete;
  QueuedWait& operator=(const QueuedWait&) = delete;

  bool is_done() const noexcept { return waiting_.is_done(); }
  bool is_woken() const noexcept { return waiting_.is_well(); }
  bool is_cancelled() const noexcept { return waiting_.is_cancelled(); }
  /// Its queue was destroyed meanwhile, and what the queue is a part of.
  bool is_orphaned() const noexcept { return orphaned_; }

  QueuedWait* next() const noexcept { return next_; }

 private:
  friend class WaitQueue;

  Waiting waiting_;
  QueuedWait* next_ = nullptr;
  QueuedWait* previous_ = nullptr;
  bool orphaned_ = false;
};

/// The tasks that wait for one thing, in the order in which they came. One that was woken or
/// cancelled keeps its place until its task goes on. Used by one thread.
class JUMPCUT_API WaitQueue {
 public:
  /// Whose tasks still need the queue when they go on, so that it can't be destroyed before.
  enum class Needed : std::uint8_t {
    by_all,
    by_woken,    ///< not by those that were cancelled
    by_waiting,  ///< only by those that are neither
  };

  /// `what` is what tasks wait in: "Lock.lock()".
  WaitQueue(const char* what, Needed needed) noexcept : what_(what), needed_(needed) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  /// Ends the program with a message if a task that needs it is in it.
  ~WaitQueue() {
    if (first_ != nullptr) [[unlikely]]
      dismiss();
  }

  const char* what() const noexcept { return what_; }
  bool empty() const noexcept { return first_ == nullptr; }
  QueuedWait* first() const noexcept { return first_; }
  std::size_t size() const noexcept;
  /// Somebody is in it who was not cancelled.
  bool has_uncancelled() const noexcept {
    for (const QueuedWait* one = first_; one != nullptr; one = one->next_) {
      if (!one->is_cancelled()) return true;
    }
    return false;
  }

  /// Returns once somebody has woken it; it is in the queue until then. Throws Cancelled.
  void wait(QueuedWait& one);

  /// Wakes the first that is neither woken nor cancelled; false if there is none.
  bool wake_next() { return pending_ != nullptr && wake_pending(); }
  void wake_all() {
    while (wake_next()) {
    }
  }
  /// Wakes the very first; nothing if that was woken or cancelled already.
  void wake_first() {
    if (first_ != nullptr && !first_->is_done()) wake_next();
  }
  /// Throws RuntimeError if those who are in it can't be woken from here.
  void check_can_wake(const char* call) const {
    if (first_ != nullptr) check_thread(call);
  }

 private:
  void append(QueuedWait& one) noexcept;
  void remove(QueuedWait& one) noexcept;
  bool wake_pending();
  void check_thread(const char* call) const;
  void dismiss() noexcept;

  QueuedWait* first_ = nullptr;
  QueuedWait* last_ = nullptr;
  QueuedWait* pending_ = nullptr;  // all before it are woken or cancelled
  const char* what_;
  const Needed needed_;
};

/// The first loop whose task waits in an object, which is its loop for good.
class JUMPCUT_API LoopBound {
 public:
  /// Throws RuntimeError if that was another one than the task's.
  void bind(const TaskBase& task, const char* call) {
    const std::uint64_t loop = task.space().loop_number;
    if (loop_ != loop) [[unlikely]]
      bind_first(loop, call);
  }

 private:
  void bind_first(std::uint64_t loop, const char* call);

  std::uint64_t loop_ = 0;
};

}  // namespace jumpcut::impl
