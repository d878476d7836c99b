#include <jumpcut/impl/task_base.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/generator_base.hpp>
#include <jumpcut/impl/scope_base.hpp>
#include <jumpcut/task.hpp>

#include "base/check.hpp"
#include "task/awaiters.hpp"
#include "task/task_origins.hpp"

#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace jumpcut {

namespace impl {

void throw_no_loop(const char* call) {
  throw RuntimeError(std::string(call) +
                     ": no loop runs in this thread; call it from a task or callback of one, or "
                     "start with jumpcut::run(main)");
}

void TaskBase::refuse_outside(const char* call) {
  const Core* core = this_core;
  std::string text = std::string(call) + " outside a task: ";
  if (core == nullptr || core->tasks == nullptr) {
    text += "wrap the caller in create_task or run";
  } else if (core->on_hub()) {
    text += "this is a callback of the loop, which can't wait; wrap the caller in create_task";
  } else if (GeneratorBase::is_ending(*core)) {
    throw RuntimeError(std::string(call) +
                       " in a generator that is being destroyed, which can't wait: call close() "
                       "before its destructor");
  } else {
    text += "this fiber is not a task's; wrap the caller in create_task or run";
  }
  throw RuntimeError(text);
}

void TaskBase::refuse_await(FutureBase& future, const char* call) {
  TaskBase& task = *current();
  const std::string head = std::string(call) + ": task '" + task.task_name() + "' can't await ";
  // In its next turn, as asyncio does it.
  yield(call);
  if (&future == &task) {
    throw RuntimeError(head + "itself, it would never end; await it from another task");
  }
  throw RuntimeError(head + future.describe() +
                     " of another loop; have that loop's thread run the call by "
                     "run_coroutine_threadsafe");
}

std::string TaskBase::task_name() const {
  return name != nullptr ? name : prefix() + std::to_string(number);
}

void TaskBase::rename(std::string_view text) {
  auto* fresh = static_cast<char*>(space_->take(text.size() + 1));
  std::memcpy(fresh, text.data(), text.size());
  fresh[text.size()] = '\0';
  free_name();
  name = fresh;
  has_extras_ = true;
}

void TaskBase::free_name() noexcept {
  if (name != nullptr) space_->give_back(name, std::strlen(name) + 1);
  name = nullptr;
}

void TaskBase::free_extras() noexcept {
  free_name();
  if (space_->origins != nullptr) space_->origins->forget(*this);
  if (!shares_context_) return;
  shared_context_->drop_ref();
  shares_context_ = false;
  new (&own_context_) ContextCell;
}

void TaskBase::equip(const TaskRequest& request) {
  if (request.stack_size != 0) pool = &SchedulerDoor::pool_of(*space_->core, request.stack_size);
  if (!request.name.empty()) rename(request.name);
  if (request.context != nullptr) share_context(*request.context);
}

void TaskBase::submit_by_hand(bool eager) {
  if (space_->debug) TaskOrigins::note(*this);
  if (eager || space_->eager) {
    submit_eager();
  } else {
    SchedulerDoor::submit(*space_->core, *this);
  }
  if (!space_->debug || is_done()) return;
  watched_ = true;
  --references_;  // the loop's: there is the creator's
}

void TaskBase::last_handle_dropped() noexcept {
  watched_ = false;
  references_ = 1;  // the loop's
  if (!space_->debug || space_->report == nullptr || is_awaited() || detached_ || cancels_ != 0)
    return;
  if (std::uncaught_exceptions() > 0) return;  // which is the news then
  try {
    space_->report(*space_,
                   "the last handle of task '" + task_name() +
                       "' was dropped while it was pending, and nobody awaits it: keep the handle, "
                       "await it, or detach() it",
                   nullptr, this);
  } catch (const std::bad_alloc&) {
    warn("the last handle of a pending task was dropped; there is no memory to say more");
  }
}

void TaskBase::submit_eager() {
  if (!SchedulerDoor::is_running(SchedulerDoor::of(*space_->core))) {
    return SchedulerDoor::submit(*space_->core, *this);  // where nothing can run yet
  }
  add_ref();  // dispose() drops one when its function has returned
  const Ref<TaskBase> held = Ref<TaskBase>::adopt(*this);
  try {
    SchedulerDoor::begin_now(*space_->core, *this);
  } catch (...) {
    leave();
    dispose();
    throw;
  }
}

bool TaskBase::cancel(const std::exception_ptr& cancelled) {
  check_thread("cancel");
  unretrieved_ = false;
  if (is_done()) return false;
  if (space_->core == nullptr) refuse_end("cancel");
  ++cancels_;
  error_ = cancelled;
  has_extras_ = true;
  own_request_ = false;
  if (waiting_on() != nullptr && pass_on(cancelled)) return true;
  must_cancel_ = own_request_ = true;
  update_interrupted();
  return true;
}

bool TaskBase::pass_on(const std::exception_ptr& cancelled) {
  if (passes_cancel_on_) {
    throw RecursionError("cancel: task '" + task_name() +
                         "' waits for itself by way of others, so nobody can be told to end");
  }
  struct Passing {
    TaskBase& task;
    ~Passing() { task.passes_cancel_on_ = false; }
  } passing{*this};
  passes_cancel_on_ = true;
  return waiting_on()->cancel(cancelled);
}

void TaskBase::tear_away(const std::exception_ptr& cancelled) noexcept {
  must_cancel_ = own_request_ = has_extras_ = true;
  error_ = cancelled;
  update_interrupted();
  FutureBase* const future = waiting_on();
  if (future == nullptr || !fiber_->waiter_.is_listed()) return;  // or it was woken already
  future->abandon(fiber_->waiter_);
  // The circle is open: who is told next passes it on as far as here.
  fiber_->waiting_on_ = nullptr;
  space_->core->ready.push(Entry(*fiber_));
}

std::uint32_t TaskBase::uncancel() noexcept {
  if (cancels_ > 0 && --cancels_ == 0) {
    must_cancel_ = false;
    update_interrupted();
  }
  return cancels_;
}

void TaskBase::set_scope(ScopeBase* scope) noexcept {
  scope_ = scope;
  update_interrupted();
}

void TaskBase::scope_changed(bool before) {
  update_interrupted();
  const ScopeBase* scope = ScopeBase::in_effect(scope_);
  if (before || scope == nullptr || waiting_on() == nullptr) return;
  pass_on(scope->cancelled());
}

void TaskBase::update_interrupted() noexcept {
  const bool interrupted = must_cancel_ || ScopeBase::in_effect(scope_) != nullptr;
  if (fiber_ != nullptr) {
    fiber_->interrupted_ = interrupted;
  } else {
    withdrawn = must_cancel_;
  }
}

/// The task parks on `future` right now; what was asked of it before goes there at once.
void TaskBase::park_interrupted(FutureBase& future) {
  try {
    if (must_cancel_) {
      if (future.cancel(error_)) must_cancel_ = false;
    } else if (const ScopeBase* scope = ScopeBase::in_effect(scope_)) {
      future.cancel(scope->cancelled());
    }
  } catch (const RecursionError&) {  // it parks all the same, and can't be told
  }
  update_interrupted();
}

/// The task goes on. What was asked of it since it was woken, or before it yielded, counts more
/// than what it waited for; unless that was cancelled too, which says it already.
void TaskBase::resume_interrupted(FutureBase* future) {
  const bool told = future != nullptr && future->is_cancelled();
  if (must_cancel_) {
    must_cancel_ = false;
    const std::exception_ptr request = error_;
    update_interrupted();
    // A gather fails with Cancelled.
    if (told || (future != nullptr && future->is_failed() &&
                 jumpcut::impl::is_cancelled(future->error()))) {
      return;
    }
    if (future != nullptr) future->set_retrieved();
    std::rethrow_exception(request);
  }
  if (told || future != nullptr) return;  // a scope lets what was complete be
  if (const ScopeBase* scope = ScopeBase::in_effect(scope_)) {
    std::rethrow_exception(std::exception_ptr(scope->cancelled()));
  }
}

void TaskBase::end_interrupted() noexcept {
  leave();
  if (!must_cancel_) {  // it was told, went on, and ended as if nothing were
    ++space_->swallowed_cancellations;
    if (space_->debug && space_->report != nullptr && error_ != nullptr) {
      const auto request = request_of(error_);
      space_->report(*space_,
                     "Task '" + task_name() + "' was " + Cancelled(*request).describe() +
                         ", and swallowed it: rethrow Cancelled, or call uncancel()",
                     error_, this);
    }
    return end(State::finished);
  }
  must_cancel_ = false;
  end(State::cancelled);
}

void TaskBase::end_cancelled() noexcept {
  leave();
  must_cancel_ = false;
  error_ = std::current_exception();
  message_once_ = true;
  end(State::cancelled);
}

namespace {

/// Looks one tick after a task failed whether somebody has taken its exception.
class Inquiry final : public DoneCallback {
 public:
  static void begin(FutureBase& task) noexcept {
    void* memory = nullptr;
    try {
      memory = task.space().take(sizeof(Inquiry));
      task.listen(*new (memory) Inquiry(task));
    } catch (...) {  // then it is reported when its last handle goes
      if (memory != nullptr) task.space().give_back(memory, sizeof(Inquiry));
    }
  }

  void run() override { task_.report_unretrieved(); }
  void dispose() noexcept override {
    FutureBase& task = task_;
    task.space().give_back(this, sizeof *this);
    task.drop_ref();
  }

 private:
  explicit Inquiry(FutureBase& task) noexcept : task_(task) {}

  FutureBase& task_;
};

}  // namespace

void TaskBase::end_failed() noexcept {
  leave();
  must_cancel_ = false;
  error_ = std::current_exception();
  unretrieved_ = true;
  const bool awaited = is_awaited();
  end(State::failed);
  if (!awaited) Inquiry::begin(*this);
}

void TaskBase::end_unstarted() noexcept {
  drop_function();
  message_once_ = true;  // as if it had been thrown in and come out again
  end_interrupted();
}

void TaskBase::end_fiber(Core& core, lowlevel::Fiber& fiber) noexcept {
  note_binding();  // it may set one in the running code's context
  fiber.task_ = nullptr;
  fiber.context_ = core.running->context_;
  SchedulerDoor::visit_aside(core, fiber);
}

bool TaskBase::end_without_stack() noexcept {
  drop_function();
  end_failed();
  return true;
}

std::uint8_t phase_of(const TaskBase& task) noexcept {
  using Phase = AnyTask::Phase;
  const auto phase = [&] {
    if (task.is_done()) return Phase::done;
    const lowlevel::Fiber* fiber = task.fiber();
    if (fiber == nullptr) return Phase::queued;
    switch (fiber->state()) {
      case lowlevel::Fiber::State::running:
        return Phase::running;
      case lowlevel::Fiber::State::parked:
        return Phase::suspended;
      default:
        return Phase::ready;
    }
  }();
  return static_cast<std::uint8_t>(phase);
}

bool shareable(const FutureBase* future) noexcept {
  return future != nullptr && !future->is_on_stack();
}

}  // namespace impl

std::vector<AnyTask> all_tasks() {
  std::vector<AnyTask> all;
  for (impl::TaskBase* task : impl::tasks_of(impl::running_space("all_tasks"))) {
    all.emplace_back(task);
  }
  return all;
}

}  // namespace jumpcut
