#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/bindings.hpp>
#include <jumpcut/impl/future_base.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace jumpcut {
class Context;
}  // namespace jumpcut

namespace jumpcut::impl {

class ScopeBase;

/// What create_task was asked for.
struct TaskRequest {
  std::string_view name = {};
  std::size_t stack_size = 0;
  bool eager = false;
  const Context* context = nullptr;

  /// Nothing of what takes equip() is asked for.
  bool is_plain() const noexcept { return name.empty() && stack_size == 0 && context == nullptr; }
};

/// The untyped half of a task: a job that runs on a fiber and is a future of what it returns. The
/// loop holds a reference until it is done.
class JUMPCUT_API TaskBase : public FutureBase, public Job {
 public:
  // NOLINTNEXTLINE: of a union one member is enough
  explicit TaskBase(TaskSpace& space) noexcept
      : FutureBase(space, true), own_context_(creators_context()) {
    if (own_context_.bindings() != nullptr) [[unlikely]]
      has_extras_ = true;
    Job::is_task = true;
  }

  /// The running fiber's, or null.
  static TaskBase* current() noexcept {
    const Core* core = this_core;
    return core == nullptr ? nullptr : core->running->task_;
  }
  /// The one whose body runs on the fiber, or null.
  static TaskBase* of(const lowlevel::Fiber& fiber) noexcept { return fiber.task_; }
  static TaskBase* of(Waiter& waiter) noexcept { return lowlevel::Fiber::of(waiter).task_; }
  /// The running task; throws RuntimeError, with `call`'s name, where there is none.
  static TaskBase& running(const char* call) {
    TaskBase* task = current();
    if (task == nullptr) [[unlikely]]
      refuse_outside(call);
    return *task;
  }

  const char* what() const noexcept override { return "task"; }
  bool cancel(const std::exception_ptr& cancelled) override;
  std::uint32_t cancelling() const noexcept { return cancels_; }
  std::uint32_t uncancel() noexcept;
  /// Has it throw `cancelled` even where what it waits for can't be cancelled, since it waits for
  /// itself by way of others.
  void tear_away(const std::exception_ptr& cancelled) noexcept;
  /// It was told to end, and has not been thrown a Cancelled for that yet.
  bool must_cancel() const noexcept { return must_cancel_; }
  /// What cancel() brought last, if the task was to throw it itself, rather than what it waited
  /// for; null once it ended as cancelled.
  std::exception_ptr own_request() const noexcept {
    return own_request_ && (!is_done() || is_well()) ? error_ : nullptr;
  }

  std::string task_name() const;
  void rename(std::string_view name);
  /// The future it is parked on, or was until it goes on; null otherwise.
  FutureBase* waiting_on() const noexcept {
    return fiber_ == nullptr ? nullptr : fiber_->waiting_on_;
  }
  /// Its fiber, as long as it has one: what it runs on now, a generator's for a while.
  lowlevel::Fiber* fiber() const noexcept { return fiber_; }
  TaskBase* next_task() const noexcept { return next_; }
  /// Nobody needs to hold its handle, nor look at its result.
  void detach() noexcept { detached_ = true; }
  void note_forgotten() noexcept { forgotten_ = true; }
  /// It need not be known when that happens.
  void stop_watching() noexcept {
    if (!watched_) return;
    watched_ = false;
    add_ref();  // the loop's
  }

  /// The innermost level-triggered scope that its code is in (impl/scope_base.hpp).
  ScopeBase* scope() const noexcept { return scope_; }
  void set_scope(ScopeBase* scope) noexcept;
  /// A scope was cancelled or shielded. `before`: one was in effect already. If it is now only,
  /// what the task is parked on is cancelled.
  void scope_changed(bool before);
  /// Looks again whether it must be told something when it next parks or goes on.
  void update_interrupted() noexcept;

  /// The one way for a task to wait: returns once the future is done. Doesn't look at the outcome,
  /// but throws Cancelled if the task is to be cancelled and the future isn't.
  [[gnu::always_inline]] static void wait_until_done(FutureBase& future, const char* call) {
    if (future.is_done()) return;
    Core& core = core_of_task(call);
    lowlevel::Fiber& fiber = park_on(core, future, call);
    if (fiber.interrupted_) [[unlikely]]
      fiber.task_->resume_interrupted(&future);
  }
  /// The same for what can't be undone once the future is finished: a cancellation that comes after
  /// that is left for the task's next wait.
  [[gnu::always_inline]] static void wait_for_outcome(FutureBase& future, const char* call) {
    if (future.is_done()) return;
    Core& core = core_of_task(call);
    lowlevel::Fiber& fiber = park_on(core, future, call);
    if (fiber.interrupted_ && future.is_cancelled()) [[unlikely]]
      fiber.task_->resume_interrupted(&future);
  }
  /// Throws Cancelled if such a one was left.
  static void check_interrupted(FutureBase& future) {
    lowlevel::Fiber& fiber = *this_core->running;
    if (fiber.interrupted_) fiber.task_->resume_interrupted(&future);
  }

  /// Returns once all that is ready now has had its turn; throws Cancelled.
  [[gnu::always_inline]] static void yield(const char* call) {
    Core& core = core_of_task(call);
    core.ready.push(Entry(*core.running));
    lowlevel::Fiber& fiber = core.switch_to_next<switch_inlined>();
    if (fiber.interrupted_) [[unlikely]]
      fiber.task_->resume_interrupted(nullptr);
  }

  /// Which context variables the running code refers to; null for the thread's own.
  static ContextCell*& context_place() noexcept;
  /// The running task was created with it.
  static bool is_own_context(const ContextCell& context) noexcept;
  /// Those of the task's own code.
  ContextCell& context_cell() noexcept {
    has_extras_ = true;
    return context();
  }
  /// The running code sets a context variable, maybe of its task's own context.
  static void note_binding() noexcept {
    if (TaskBase* task = current()) task->has_extras_ = true;
  }

  /// Goes on in the task's name on another fiber, a generator's, until that calls come_back() or
  /// has ended.
  [[gnu::always_inline]] void visit(lowlevel::Fiber& fiber) noexcept {
    fiber.task_ = this;
    fiber.context_ = fiber_->context_;
    fiber.interrupted_ = fiber_->interrupted_;
    fiber_ = &fiber;
    SchedulerDoor::visit(*this_core, fiber);
  }
  /// Leaves the fiber that it visits: the task's own one is the running one as soon as that is
  /// switched to.
  [[gnu::always_inline]] void come_back() noexcept {
    lowlevel::Fiber& from = *fiber_;
    from.return_to_->interrupted_ = from.interrupted_;
    from.task_ = nullptr;
    fiber_ = from.return_to_;
  }
  /// Code of the fiber that it visits is inside a Context::run().
  bool is_in_other_context() const noexcept {
    return fiber_->context_ != fiber_->return_to_->context_;
  }
  /// Runs a fiber to its end, in no task's name: it can't wait.
  static void end_fiber(Core& core, lowlevel::Fiber& fiber) noexcept;

 protected:
  ~TaskBase() {
    if (!shares_context_) own_context_.~ContextCell();
  }

  /// Takes what was asked for, before submit().
  void equip(const TaskRequest& request);
  /// Makes it ready, or begins it at once.
  [[gnu::always_inline]] void submit(bool eager) {
    number = ++space_->task_numbers;
    add_ref();  // the loop's
    link();
    if (eager || space_->eager || space_->debug) [[unlikely]]
      return submit_by_hand(eager);
    SchedulerDoor::submit(*space_->core, *this);
  }

  /// On the fiber. False if it was cancelled before its first step.
  [[gnu::always_inline]] bool begin() noexcept {
    lowlevel::Fiber& fiber = *space_->core->running;
    fiber.task_ = this;
    fiber.context_ = has_extras_ ? &context() : &own_context_;
    fiber_ = &fiber;
    if (must_cancel_) [[unlikely]] {
      end_unstarted();
      return false;
    }
    return true;
  }
  [[gnu::always_inline]] void end_well() noexcept {
    if (cancels_ != 0) [[unlikely]]
      return end_interrupted();
    leave();
    end(State::finished);
  }
  /// In a handler for Cancelled.
  void end_cancelled() noexcept;
  /// In a handler for anything else.
  void end_failed() noexcept;

  void end_unstarted() noexcept override;
  bool end_without_stack() noexcept override;
  void dispose() noexcept final { drop_ref(); }
  /// In debug mode, while it is not done.
  void last_handle_dropped() noexcept override;
  /// Its destructor has something to do, beside the value's.
  bool holds_something() const noexcept {
    return has_extras_ || has_function_ || error_ != nullptr;
  }
  void drop_extras() noexcept {
    if (name != nullptr || shares_context_) [[unlikely]]
      free_extras();
  }
  /// Destroys the function, if it is still there.
  virtual void drop_function() noexcept = 0;

 private:
  /// Before it is done: somebody waits for it, or did.
  bool is_awaited() const noexcept { return has_listeners() || forgotten_; }
  [[gnu::always_inline]] static Core& core_of_task(const char* call) {
    Core* core = this_core;
    if (core == nullptr || core->running->task_ == nullptr) [[unlikely]]
      refuse_outside(call);
    return *core;
  }
  /// Returns the running fiber.
  [[gnu::always_inline]] static lowlevel::Fiber& park_on(Core& core, FutureBase& future,
                                                         const char* call) {
    lowlevel::Fiber& fiber = *core.running;
    // Of the task itself nothing is touched: of many that wait, its lines of the cache stay away.
    if (&future == fiber.task_ || &future.space() != core.tasks) [[unlikely]]
      refuse_await(future, call);
    future.listen(fiber.waiter_);
    fiber.waiting_on_ = &future;
    if (fiber.interrupted_) [[unlikely]]
      fiber.task_->park_interrupted(future);
    lowlevel::Fiber& again = core.switch_to_next<switch_inlined>();
    again.waiting_on_ = nullptr;
    future.release(again.waiter_);
    return again;
  }
  static const ContextCell& creators_context() noexcept {
    const Core* core = this_core;
    if (core == nullptr || core->running->context_ == nullptr) [[unlikely]]
      return current_context();
    return *core->running->context_;
  }
  [[noreturn]] static void refuse_outside(const char* call);
  [[noreturn]] static void refuse_await(FutureBase& future, const char* call);
  void park_interrupted(FutureBase& future);
  void resume_interrupted(FutureBase* future);
  bool pass_on(const std::exception_ptr& cancelled);
  void end_interrupted() noexcept;
  ContextCell& context() noexcept { return shares_context_ ? *shared_context_ : own_context_; }
  void free_extras() noexcept;
  void free_name() noexcept;
  void submit_by_hand(bool eager);
  void submit_eager();
  void share_context(const Context& context);

  [[gnu::always_inline]] void link() noexcept {
    next_ = space_->first_task;
    if (next_ != nullptr) next_->previous_ = this;
    space_->first_task = this;
    ++space_->task_count;
  }
  [[gnu::always_inline]] void leave() noexcept {
    if (watched_) [[unlikely]]
      stop_watching();
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : space_->first_task) = next_;
    --space_->task_count;
    fiber_ = nullptr;
  }

  // `has_extras_` is set for good by whatever gives it a name, a context other than its own and
  // empty one, or a request to end. Without, what lies below `fiber_` is not looked at when it
  // begins, and nothing but FutureBase's line when it is destroyed.
  // The small ones first: there is room behind Job's.
  bool must_cancel_ = false;
  bool own_request_ : 1 = false;       // see own_request()
  bool passes_cancel_on_ : 1 = false;  // to what it waits for, right now
  bool detached_ : 1 = false;          // its handle may be dropped
  bool forgotten_ : 1 = false;         // somebody waited for it, and does no more
  bool shares_context_ : 1 = false;
  std::uint8_t filler_ : 3 = false;  // no bit is left out: see FutureBase's
  std::uint32_t cancels_ = 0;
  TaskBase* next_ = nullptr;  // the space's list of tasks that are not done
  TaskBase* previous_ = nullptr;
  lowlevel::Fiber* fiber_ = nullptr;
  ScopeBase* scope_ = nullptr;
  union {
    ContextCell own_context_;
    SharedContext* shared_context_;  // counted, if shares_context_
  };
};

/// AnyTask's Phase, as a number.
JUMPCUT_API std::uint8_t phase_of(const TaskBase& task) noexcept;
/// Whether a handle may refer to it: it does not live on somebody's stack.
JUMPCUT_API bool shareable(const FutureBase* future) noexcept;

}  // namespace jumpcut::impl
