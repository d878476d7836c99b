#include <jumpcut/task_group.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/scope_base.hpp>

#include "base/check.hpp"

#include <new>
#include <optional>
#include <string>
#include <utility>

namespace jumpcut {

/// A task's place in its group; hears of the task's end.
class TaskGroup::Member final : public impl::DoneCallback {
 public:
  Member(TaskGroup& owner, impl::TaskBase& member, impl::FutureBase* started) noexcept
      : task(member), ready(started), group_(owner) {}

  void run() override {
    try {
      group_.member_done(*this);
    } catch (...) {  // tasks that wait for each other in a circle can't be cancelled
      impl::TaskSpace& space = task.space();
      if (space.report == nullptr) return;
      space.report(space, "a task group could not cancel its tasks", std::current_exception(),
                   nullptr);
    }
  }
  impl::FutureBase* awaiter() noexcept override { return group_.parent_.get(); }
  void dispose() noexcept override {
    impl::TaskBase& mine = task;
    this->~Member();
    mine.space().give_back(this, sizeof *this);
    mine.drop_ref();
  }

  impl::TaskBase& task;
  impl::Ref<impl::FutureBase> ready;
  Member* next = nullptr;
  Member* previous = nullptr;

 private:
  TaskGroup& group_;
};

TaskGroup::~TaskGroup() {
  JUMPCUT_CHECK(!parent_, "a TaskGroup is destroyed while its tasks run");
}

void TaskGroup::check_thread(const char* call) const {
  const impl::Core* core = parent_->space().core;
  if (core != nullptr && core->on_its_thread()) return;
  throw RuntimeError(std::string(call) +
                     ": the group belongs to another thread's loop; go there by "
                     "call_soon_threadsafe");
}

TaskGroup::Admission::Admission(TaskGroup& group, const char* call)
    : group_(group), place_(nullptr) {
  const auto refuse = [&](const char* why) {
    throw RuntimeError(std::string(call) + ": the TaskGroup " + why);
  };
  if (!group.entered_) refuse("has not been entered; pass it to task_group()");
  if (group.exiting_ && group.count_ == 0)
    refuse("is finished, and its tasks have ended; make another");
  group.check_thread(call);
  if (group.aborting_) refuse("is shutting down, for one of its tasks failed or it was cancelled");
  place_ = space().take(sizeof(Member));
}

TaskGroup::Admission::~Admission() {
  if (place_ != nullptr) space().give_back(place_, sizeof(Member));
}

impl::TaskSpace& TaskGroup::Admission::space() const noexcept {
  return group_.parent_->space();
}

void TaskGroup::Admission::admit(impl::TaskBase& task, impl::FutureBase* ready) {
  task.detach();
  auto& member = *new (place_) Member(group_, task, ready);
  try {
    task.listen(member);
  } catch (...) {
    member.~Member();
    if (group_.cancelled_ == nullptr) group_.cancelled_ = impl::make_cancelled({});
    task.cancel(group_.cancelled_);
    throw;
  }
  place_ = nullptr;
  // One that began at once may have failed already, which is the group's affair now.
  task.set_retrieved();
  member.previous = group_.last_;
  (group_.last_ != nullptr ? group_.last_->next : group_.first_) = &member;
  group_.last_ = &member;
  ++group_.count_;
  // ... or have cancelled the group.
  if (group_.aborting_ && !task.is_done()) task.cancel(group_.cancelled_);
}

void TaskGroup::wait_started(impl::FutureBase& ready, const AnyTask& task) {
  try {
    impl::TaskBase::wait_until_done(ready, "TaskGroup.start");
    if (ready.is_cancelled()) ready.get();
  } catch (const Cancelled&) {
    if (ready.is_cancelled()) task.base("TaskGroup.start").cancel(std::current_exception());
    throw;
  }
}

void TaskGroup::run(impl::Body body, const impl::SourceLocation& where) {
  if (entered_) {
    throw RuntimeError(
        "task_group: this TaskGroup has already been entered; make one for each use");
  }
  impl::TaskBase& parent = impl::TaskBase::running("task_group");
  parent_ = impl::Ref<impl::TaskBase>(&parent);
  where_ = where;
  cancelling_ = parent.cancelling();
  entered_ = true;
  std::exception_ptr error;
  try {
    if (cancel_on_enter_) cancel(where);
    body();
  } catch (...) {
    error = std::current_exception();
  }
  leave(std::move(error));
}

void TaskGroup::leave(std::exception_ptr error) {
  struct Left {
    TaskGroup& group;
    ~Left() {
      group.parent_ = {};
      group.errors_.clear();
      group.interrupt_ = nullptr;
    }
  } left{*this};
  exiting_ = true;
  const bool cancelled = impl::is_cancelled(error);
  std::exception_ptr propagate = cancelled ? error : nullptr;
  if (error != nullptr && interrupt_ == nullptr && impl::holds<Interrupted>(error)) {
    interrupt_ = error;
  }
  if (error != nullptr && !aborting_) abort(parent_.get(), where_);

  const std::exception_ptr late = wait_for_members(propagate);

  if (interrupt_ != nullptr) {
    for (const std::exception_ptr& hidden : errors_) {
      if (hidden == interrupt_ || parent_->space().report == nullptr) continue;
      parent_->space().report(parent_->space(),
                              "A task of a group failed, and SIGINT hides its exception", hidden,
                              nullptr);
    }
    std::rethrow_exception(interrupt_);
  }
  if (parent_cancel_requested_) {
    if (parent_->uncancel() <= cancelling_) {
      propagate = nullptr;  // it was the group's own
    } else if (propagate == nullptr) {
      propagate = late;
    }
  }
  if (propagate != nullptr && errors_.empty()) std::rethrow_exception(propagate);
  if (error != nullptr && !cancelled) errors_.push_back(std::move(error));
  if (errors_.empty()) return;
  if (parent_->cancelling() != 0) {
    // The errors come first; whoever cancelled the parent is heard at its next wait.
    parent_->uncancel();
    parent_->cancel(propagate != nullptr ? impl::without_message(propagate)
                                         : impl::make_cancelled({}));
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_));
}

/// Returns the last Cancelled that came meanwhile; one that makes the group abort goes to
/// `propagate` too.
std::exception_ptr TaskGroup::wait_for_members(std::exception_ptr& propagate) {
  std::exception_ptr late;
  while (count_ != 0) {
    impl::Waiting waiting(parent_->space(), "the tasks of a group");
    // The tasks know already; a level-triggered scope would say it again and again.
    std::optional<impl::Shield> shield;
    if (aborting_ && parent_->scope() != nullptr) shield.emplace(*parent_);
    waiting_ = &waiting;
    try {
      impl::TaskBase::wait_until_done(waiting, "task_group");
      waiting.get();
    } catch (const Cancelled&) {
      late = std::current_exception();
      if (!aborting_) {
        propagate = late;
        abort(parent_.get(), where_);
      }
    }
    waiting_ = nullptr;
  }
  return late;
}

void TaskGroup::take_out(Member& member) noexcept {
  (member.previous != nullptr ? member.previous->next : first_) = member.next;
  (member.next != nullptr ? member.next->previous : last_) = member.previous;
  --count_;
}

void TaskGroup::member_done(Member& member) {
  take_out(member);
  if (count_ == 0 && waiting_ != nullptr && !waiting_->is_done()) waiting_->finish();
  impl::TaskBase& task = member.task;
  const bool starting = member.ready && !member.ready->is_done();
  if (starting && (task.is_cancelled() || task.exception() == nullptr)) {
    return member.ready->fail(std::make_exception_ptr(RuntimeError(
        "TaskGroup.start: task '" + task.task_name() +
        (task.is_cancelled() ? "' was cancelled" : "' ended") + " before it called started()")));
  }
  if (task.is_cancelled()) return;
  std::exception_ptr error = task.exception();
  if (error == nullptr) return;
  if (starting) return member.ready->fail(std::move(error));
  member_failed(task, std::move(error));
}

void TaskGroup::member_failed(impl::TaskBase& task, std::exception_ptr error) {
  if (interrupt_ == nullptr && impl::holds<Interrupted>(error)) interrupt_ = error;
  errors_.push_back(std::move(error));
  if (aborting_) return;
  // The parent is not to look cancelled afterwards: leave() takes it back.
  abort(&task, where_);
  cancel_parent(cancelled_);
}

void TaskGroup::cancel_parent(const std::exception_ptr& cancelled) {
  parent_cancel_requested_ = true;
  parent_->cancel(cancelled);
}

void TaskGroup::abort(const impl::TaskBase* by, const impl::SourceLocation& where) {
  aborting_ = true;
  CancelRequest request;
  request.reason = CancelReason::group;
  request.where = where;
  if (by != nullptr) request.by = by->task_name();
  cancelled_ = impl::make_cancelled(std::move(request));
  for (Member* member = first_; member != nullptr; member = member->next) {
    if (member->task.is_done()) continue;
    if (by == parent_.get()) {
      cancel_to_leave(member->task);
    } else {
      member->task.cancel(cancelled_);
    }
  }
}

/// Who leaves the group must find no task of it alive, not even one that can't be told to end
/// because it waits for itself by way of others.
void TaskGroup::cancel_to_leave(impl::TaskBase& task) {
  try {
    task.cancel(cancelled_);
  } catch (const RecursionError&) {
    task.tear_away(cancelled_);
  }
}

void TaskGroup::cancel(impl::SourceLocation where) {
  if (!entered_) {
    cancel_on_enter_ = true;
    return;
  }
  if (!parent_ || (exiting_ && count_ == 0)) return;
  check_thread("TaskGroup.cancel");
  if (aborting_) return;
  abort(impl::TaskBase::current(), where);
  cancel_parent(cancelled_);
}

namespace impl {

void throw_no_value(const char* call) {
  throw InvalidStateError(std::string(call) +
                          ": cancel() cut the body short, so there is no value to return; have the "
                          "body return nothing, and keep what it finds outside");
}

}  // namespace impl
}  // namespace jumpcut
