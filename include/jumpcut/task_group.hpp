#pragma once

#include <jumpcut/exception_group.hpp>
#include <jumpcut/impl/body.hpp>
#include <jumpcut/impl/source_location.hpp>
#include <jumpcut/task.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

template <class T>
class Started;

/// Tasks that end together: asyncio.TaskGroup. None of them outlives the task_group() call; if one
/// fails, the others are cancelled. Entered once, by task_group(); its loop's thread's.
class JUMPCUT_API TaskGroup {
 public:
  TaskGroup() noexcept = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  /// task_group() has returned, or was never called.
  ~TaskGroup();

  /// jumpcut::create_task, in this group. The handle may be dropped: the group awaits the task.
  /// Throws RuntimeError, and drops the function, before the group is entered, after it has
  /// finished, and while it shuts down.
  template <class Function>
  Task<impl::TaskResult<Function>> create_task(Function&& function,
                                               const TaskOptions& options = {}) {
    Admission admission(*this, "TaskGroup.create_task");
    auto task = impl::make_task(admission.space(), "TaskGroup.create_task",
                                std::forward<Function>(function), options);
    admission.admit(task.task("TaskGroup.create_task"), nullptr);
    return task;
  }

  /// Makes function(started) a task of the group, and returns once it has called started(value),
  /// for `T` as void started(): it is ready, and goes on as the others do. Returns the value. If
  /// the function throws before, start() throws that, and the group goes on; if it returns before,
  /// RuntimeError. If the caller is cancelled before, the task is cancelled too. Throws also what
  /// create_task() throws. trio's Nursery.start.
  template <class T = void, class Function>
  T start(Function&& function, const TaskOptions& options = {});

  /// Ends the group early: cancels its tasks, and what its body waits for. task_group() then
  /// returns, or throws what tasks failed with nevertheless; InvalidStateError, if its body should
  /// have returned a value and could not. Before the group is entered: as soon
  /// as it is. After it has finished, or a second time: does nothing.
  void cancel(impl::SourceLocation where = impl::SourceLocation::current());

  /// The tasks that are not done.
  std::size_t size() const noexcept { return count_; }

  /// For task_group(): calls body(), and waits for the tasks.
  void run(impl::Body body, const impl::SourceLocation& where);

 private:
  class Member;

  /// Makes the place of a task, before there is one.
  class JUMPCUT_API Admission {
   public:
    Admission(TaskGroup& group, const char* call);
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission();

    impl::TaskSpace& space() const noexcept;
    /// `ready` is what start() waits for, or null.
    void admit(impl::TaskBase& task, impl::FutureBase* ready);

   private:
    TaskGroup& group_;
    void* place_;
  };

  static void wait_started(impl::FutureBase& ready, const AnyTask& task);
  void check_thread(const char* call) const;
  void leave(std::exception_ptr error);
  std::exception_ptr wait_for_members(std::exception_ptr& propagate);
  void member_done(Member& member);
  void member_failed(impl::TaskBase& task, std::exception_ptr error);
  void abort(const impl::TaskBase* by, const impl::SourceLocation& where);
  void cancel_to_leave(impl::TaskBase& task);
  void cancel_parent(const std::exception_ptr& cancelled);
  void take_out(Member& member) noexcept;

  impl::Ref<impl::TaskBase> parent_;
  Member* first_ = nullptr;  // in the order in which they were created
  Member* last_ = nullptr;
  std::size_t count_ = 0;
  impl::FutureBase* waiting_ = nullptr;  // the parent's, for the last of them
  std::vector<std::exception_ptr> errors_;
  std::exception_ptr interrupt_;  // Interrupted, which is thrown as it is
  std::exception_ptr cancelled_;  // what all are told when the group aborts
  impl::SourceLocation where_;
  std::uint32_t cancelling_ = 0;  // the parent's, when it entered
  bool entered_ = false;
  bool exiting_ = false;
  bool aborting_ = false;
  bool parent_cancel_requested_ = false;
  bool cancel_on_enter_ = false;
};

/// What a function that TaskGroup::start() runs calls when it is ready.
template <class T>
class Started {
 public:
  explicit Started(Future<T> ready) noexcept : ready_(std::move(ready)) {}

  /// Lets start() return the value. Throws RuntimeError the second time.
  template <class Value = T>
  requires(!std::is_void_v<T>) void operator()(Value&& value) {
    if (begin()) ready_.set_result(std::forward<Value>(value));
  }
  void operator()() requires std::is_void_v<T> {
    if (begin()) ready_.set_result();
  }

 private:
  /// False if nobody waits any more.
  bool begin() {
    if (called_) throw RuntimeError("Started: it was called already; a task starts once");
    called_ = true;
    return !ready_.done();
  }

  Future<T> ready_;
  bool called_ = false;
};

template <class T, class Function>
T TaskGroup::start(Function&& function, const TaskOptions& options) {
  static_assert(std::is_invocable_v<std::decay_t<Function>&, Started<T>&>,
                "start<T>(function) calls function(Started<T>&)");
  Admission admission(*this, "TaskGroup.start");
  Future<T> ready(
      impl::Ref<impl::FutureBase>::adopt(impl::FutureState<T>::make(admission.space())));
  auto task = impl::make_task(
      admission.space(), "TaskGroup.start",
      [function = std::decay_t<Function>(std::forward<Function>(function)), ready]() mutable {
        Started<T> started(std::move(ready));
        function(started);
      },
      options);
  admission.admit(task.task("TaskGroup.start"), &ready.base("TaskGroup.start"));
  wait_started(ready.base("TaskGroup.start"), task);
  return await(std::move(ready));
}

/// Returns once body(group), or body(), and all tasks of the group have ended, and returns the
/// body's value: `async with asyncio.TaskGroup() as group`. At once, and without switching, if
/// there are no tasks.
///
/// The first that fails, a task or the body, has the others cancelled, in the order in which they
/// were created; then all errors, in the order in which they came and the body's own last, are
/// thrown as one ExceptionGroup. A task that is cancelled, and only that, is no error. If the
/// caller's task is cancelled, the group's tasks are cancelled, and Cancelled is thrown when they
/// have ended; if some of them failed, the ExceptionGroup, and Cancelled at the next wait. Throws
/// RuntimeError outside a task.
template <class Function>
impl::BodyResult<Function, TaskGroup> task_group(
    Function&& body, impl::SourceLocation where = impl::SourceLocation::current()) {
  TaskGroup group;
  return impl::run_body("task_group", std::forward<Function>(body), group,
                        [&](impl::Body run) { group.run(run, where); });
}

/// The same with a group that outlives the call: somebody may cancel() it before. Throws
/// RuntimeError if it was entered before.
template <class Function>
impl::BodyResult<Function, TaskGroup> task_group(
    TaskGroup& group, Function&& body,
    impl::SourceLocation where = impl::SourceLocation::current()) {
  return impl::run_body("task_group", std::forward<Function>(body), group,
                        [&](impl::Body run) { group.run(run, where); });
}

}  // namespace jumpcut
