#pragma once

#include <jumpcut/context.hpp>
#include <jumpcut/frame.hpp>
#include <jumpcut/future.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

struct TaskOptions {
  /// Shown in messages, reports and debuggers; "Task-N" if empty.
  std::string_view name = {};
  /// Bytes of stack; 0 for the loop's usual size.
  std::size_t stack_size = 0;
  /// Runs up to its first wait inside create_task, instead of in its turn.
  bool eager_start = false;
  /// Shares this context, instead of copying the creator's.
  const Context* context = nullptr;
};

namespace impl {

JUMPCUT_API std::vector<Frame> get_stack(const TaskBase& task, std::optional<std::size_t> limit);
JUMPCUT_API std::string format_stack(const TaskBase& task, std::optional<std::size_t> limit);
JUMPCUT_API void print_stack(const TaskBase& task, std::FILE* file,
                             std::optional<std::size_t> limit);

}  // namespace impl

/// asyncio's states.
enum class TaskState : std::uint8_t { pending, cancelled, finished };

/// Where a task is.
enum class TaskPhase : std::uint8_t {
  queued,     ///< waits for its first turn
  running,    ///< has the thread
  ready,      ///< was woken, waits for its turn
  suspended,  ///< parked
  done,
};

/// What every handle of a task can do beside a future's.
template <class Base>
class TaskHandle : public Base {
 public:
  using State = TaskState;
  using Phase = TaskPhase;

  std::string name() const { return task("name").task_name(); }
  /// Throws RuntimeError on another thread; so does uncancel().
  void set_name(std::string_view name) const { of_this_thread("set_name").rename(name); }
  /// How often cancel() was asked for and not taken back.
  int cancelling() const { return static_cast<int>(task("cancelling").cancelling()); }
  /// Takes one request back; returns how many are left.
  int uncancel() const { return static_cast<int>(of_this_thread("uncancel").uncancel()); }

  State state() const {
    const impl::FutureBase& base = task("state");
    if (!base.is_done()) return State::pending;
    return base.is_cancelled() ? State::cancelled : State::finished;
  }
  Phase phase() const { return static_cast<Phase>(impl::phase_of(task("phase"))); }
  /// The future that it is parked on, or none.
  AnyFuture waiting_on() const {
    impl::FutureBase* future = task("waiting_on").waiting_on();
    return AnyFuture(impl::Ref<impl::FutureBase>(impl::shareable(future) ? future : nullptr));
  }
  /// What it is parked on, in words: "sleep", "Lock.lock()", "task 'x'"; empty if it isn't.
  std::string waiting_for() const {
    const impl::FutureBase* future = task("waiting_for").waiting_on();
    return future == nullptr ? std::string() : future->describe();
  }
  /// The calls on its stack, innermost first, whether it is parked, ready or running: at most
  /// `limit`. None before it begins, and once it is done. Throws RuntimeError on another thread.
  [[gnu::always_inline]] std::vector<Frame> get_stack(
      std::optional<std::size_t> limit = std::nullopt) const {
    return impl::get_stack(task("get_stack"), limit);
  }
  /// The same in words: what it is doing or waiting for, or what it failed with; then a line for
  /// each call.
  [[gnu::always_inline]] std::string format_stack(
      std::optional<std::size_t> limit = std::nullopt) const {
    return impl::format_stack(task("format_stack"), limit);
  }
  [[gnu::always_inline]] void print_stack(std::FILE* file = stderr,
                                          std::optional<std::size_t> limit = std::nullopt) const {
    impl::print_stack(task("print_stack"), file, limit);
  }
  /// It may be dropped: nobody will await it. Without this, a debug-mode loop reports a handle that
  /// is dropped while its task is pending.
  void detach() const { task("detach").detach(); }

  impl::TaskBase& task(const char* call) const {
    return static_cast<impl::TaskBase&>(Base::base(call));
  }

 protected:
  using Base::Base;

 private:
  impl::TaskBase& of_this_thread(const char* call) const {
    impl::TaskBase& mine = task(call);
    mine.check_thread(call);
    return mine;
  }
};

/// A task of any type, or none.
class AnyTask : public TaskHandle<AnyFuture> {
 public:
  AnyTask() noexcept = default;
  explicit AnyTask(impl::TaskBase* task) noexcept : TaskHandle(impl::Ref<impl::FutureBase>(task)) {}
  template <class T>
  AnyTask(const TaskHandle<Future<T>>& task) noexcept  // NOLINT: as a base class would convert
      : TaskHandle(task.ref()) {}
};

/// A call that runs on a fiber of its own, and a future of what it returns: asyncio.Task. Made by
/// create_task; the loop holds it until it is done, whoever else does.
template <class T = void>
class Task : public TaskHandle<Future<T>> {
 public:
  /// None, to be assigned to.
  Task() noexcept : TaskHandle<Future<T>>(nullptr) {}
  explicit Task(impl::Ref<impl::FutureBase> state) noexcept
      : TaskHandle<Future<T>>(std::move(state)) {}
};

namespace impl {

template <class Function>
using TaskResult = std::decay_t<std::invoke_result_t<std::decay_t<Function>&>>;

template <class Function>
Task<TaskResult<Function>> make_task(TaskSpace& space, const char* call, Function&& function,
                                     const TaskOptions& options) {
  using T = TaskResult<Function>;
  static_assert(!std::is_reference_v<std::invoke_result_t<std::decay_t<Function>&>>,
                "a task returns a value; return a pointer instead of a reference");
  refuse_null(function, call);
  return Task<T>(Ref<FutureBase>::adopt(TaskOf<std::decay_t<Function>, T>::make(
      space, std::forward<Function>(function),
      {options.name, options.stack_size, options.eager_start, options.context})));
}

}  // namespace impl

/// Makes function() a task of the running loop: it becomes ready, behind all that is ready now, and
/// the caller goes on. Its exception, if nobody takes it, goes to the loop's exception handler.
/// Throws RuntimeError where no loop runs, ValueError for a null function or a stack size that
/// can't be had.
template <class Function>
[[nodiscard("keep the task, await it, or detach() it")]] Task<impl::TaskResult<Function>>
create_task(Function&& function, const TaskOptions& options = {}) {
  return impl::make_task(impl::running_space("create_task"), "create_task",
                         std::forward<Function>(function), options);
}

/// The task that runs; none in a callback, and outside a loop.
inline AnyTask current_task() noexcept {
  return AnyTask(impl::TaskBase::current());
}

/// The running loop's tasks that are not done, in the order in which they were created. Throws
/// RuntimeError where no loop runs.
JUMPCUT_API std::vector<AnyTask> all_tasks();

/// Returns once all that is ready now has had its turn; throws Cancelled if the task is to end.
inline void checkpoint() {
  impl::TaskBase::yield("checkpoint");
}

}  // namespace jumpcut
