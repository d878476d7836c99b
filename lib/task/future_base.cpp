#include <jumpcut/impl/future_base.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/handle_state.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "base/check.hpp"

#include <string>
#include <utility>

namespace jumpcut::impl {

std::string FutureBase::describe() const {
  if (!is_task_) return what();
  return "task '" + static_cast<const TaskBase*>(this)->task_name() + "'";
}

bool FutureBase::cancel(const std::exception_ptr& cancelled) {
  check_thread("cancel");
  unretrieved_ = false;
  if (is_done()) return false;
  check_can_end("cancel");
  error_ = cancelled;
  end(State::cancelled);
  return true;
}

void FutureBase::fail(std::exception_ptr error) {
  if (error == nullptr) throw ValueError("set_exception: the exception is null");
  check_can_end("set_exception");
  if (jumpcut::impl::is_cancelled(error)) {
    throw RuntimeError("set_exception: a future can't fail with Cancelled; call cancel() instead");
  }
  fail_with(std::move(error));
}

void FutureBase::fail_with(std::exception_ptr error) {
  check_can_end("set_exception");
  error_ = std::move(error);
  unretrieved_ = true;
  end(State::failed);
}

void FutureBase::refuse_callback() const {
  check_thread("add_done_callback");
  throw RuntimeError("add_done_callback: the loop of " + describe() +
                     " is closed; nobody can call it any more");
}

void FutureBase::forget(Listener& one) noexcept {
  if (!one.is_listed()) return;
  if (is_task_) static_cast<TaskBase*>(this)->note_forgotten();
  Listener* const next = one.next_;
  (first_ == &one ? first_ : one.previous_->next_) = next;
  if (Listener* const place = next != nullptr ? next : first_) place->previous_ = one.previous_;
  one.next_ = one.previous_ = nullptr;
  if (!one.waiter_ && space_->core != nullptr) space_->core->ready.give_up();
}

std::exception_ptr FutureBase::exception() {
  if (state_ == State::finished) return nullptr;
  if (state_ == State::failed) {
    unretrieved_ = false;
    return error_;
  }
  throw_error();
}

std::exception_ptr FutureBase::take_cancelled() noexcept {
  if (!message_once_) return error_;
  // A task ends with the very exception that went through it; who asks later gets one without the
  // message, as in asyncio.
  message_once_ = false;
  return std::exchange(error_, without_message(error_));
}

std::exception_ptr FutureBase::cancelled_again() const noexcept {
  return message_once_ ? without_message(error_) : error_;
}

void FutureBase::throw_error() {
  switch (state_) {
    case State::cancelled:
      std::rethrow_exception(take_cancelled());
    case State::failed:
      unretrieved_ = false;
      std::rethrow_exception(error_);
    case State::finished:  // which has a value
    case State::pending:
      break;
  }
  throw InvalidStateError("result: " + describe() + " is not done yet; await it");
}

Core& FutureBase::check_can_end_aside(const char* call) const {
  Core* core = space_->core;
  if (core == nullptr || !core->on_its_thread() || is_done()) refuse_end(call);
  return *core;
}

void FutureBase::refuse_end(const char* call) const {
  check_thread(call);
  const std::string head = std::string(call) + ": " + describe();
  if (is_done()) {
    throw InvalidStateError(head + (is_cancelled() ? " is cancelled" : " is done") +
                            " already; a future ends once (ask done() first)");
  }
  throw RuntimeError(head + " belongs to a loop that is closed; nobody can be told any more");
}

void FutureBase::refuse_set(const char* call) const {
  throw RuntimeError(std::string(call) + ": " + describe() +
                     " ends by itself, with what its function returns or throws");
}

void FutureBase::check_thread(const char* call) const {
  if (space_->core == nullptr || space_->core->on_its_thread()) return;
  throw RuntimeError(std::string(call) + ": " + describe() +
                     " belongs to another thread's loop; make the call there, by "
                     "call_soon_threadsafe");
}

void FutureBase::report_unretrieved() noexcept {
  const bool unretrieved = unretrieved_;
  unretrieved_ = false;
  if (!unretrieved || space_->report == nullptr) return;
  space_->report(
      *space_,
      is_task_ ? "Task exception was never retrieved" : "Future exception was never retrieved",
      error_, this);
}

void FutureBase::end_several(Core& core) noexcept {
  Listener* one = std::exchange(first_, nullptr);
  while (one != nullptr) {
    Listener* const next = std::exchange(one->next_, nullptr);  // it may be gone once it is told
    one->previous_ = nullptr;
    ++references_;  // its own
    core.ready.push(one->waiter_ ? Entry(lowlevel::Fiber::of(*static_cast<Waiter*>(one)))
                                 : Entry(*static_cast<DoneCallback*>(one)));
    one = next;
  }
}

/// The list is looked at, for those who wait hold what they wait for.
bool FutureBase::is_held_by_waiter() const noexcept {
  for (const Listener* one = first_; one != nullptr; one = one->next_) {
    if (one->waiter_) return true;
  }
  return false;
}

void FutureBase::last_ref() noexcept {
  references_ = 0;
  if (is_held_by_waiter()) return;
  if (watched_) return last_handle_dropped();
  if (unretrieved_) {
    references_ = 1;  // whoever is told may hold it for a while
    report_unretrieved();
    if (--references_ != 0) return;
  }
  while (first_ != nullptr) {
    Listener& one = *first_;
    forget(one);
    references_ = 2;  // dispose() gives one up
    static_cast<DoneCallback&>(one).dispose();
  }
  destroy();
}

void throw_no_future(const char* call) {
  throw RuntimeError(std::string(call) + ": this handle refers to no future or task");
}

void throw_value_taken() {
  throw InvalidStateError(
      "result: the value was moved to who asked first, for it can't be copied; keep it there");
}

}  // namespace jumpcut::impl
