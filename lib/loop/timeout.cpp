#include <jumpcut/timeout.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/scope_base.hpp>

#include "loop/deadline_timer.hpp"

#include <exception>
#include <string>
#include <utility>

namespace jumpcut {

namespace impl {

std::string timeout_text(const char* call, const SourceLocation& where) {
  return std::string("timed out: ") + call + "() at " + where.file + ":" +
         std::to_string(where.line);
}

}  // namespace impl

void Timeout::run(impl::Body body, const char* call, const impl::SourceLocation& where) {
  if (state_ != State::created) {
    throw RuntimeError(std::string(call) +
                       ": this Timeout has already been entered; make one for each use");
  }
  impl::TaskBase& task = impl::TaskBase::running(call);
  call_ = call;
  where_ = where;
  task_ = impl::Ref<impl::TaskBase>(&task);
  cancelling_ = task.cancelling();
  impl::DeadlineTimer timer(
      impl::LoopState::of(*task.space().loop),
      [](void* self) { static_cast<Timeout*>(self)->expire(); }, this);
  timer_ = &timer;
  state_ = State::active;
  try {
    arm();
    body();
  } catch (const Cancelled&) {
    if (leave()) std::throw_with_nested(TimeoutError(impl::timeout_text(call, where)));
    throw;
  } catch (...) {
    leave();
    throw;
  }
  leave();
}

void Timeout::arm() {
  if (when_.has_value()) timer_->set(*when_);
}

void Timeout::reschedule(std::optional<TimePoint> when) {
  if (state_ != State::active) {
    const char* why = "it has not been entered; pass it to timeout() first";
    if (state_ == State::expiring)
      why = "it is expiring, and its code is told to end; make another";
    if (state_ == State::expired) why = "it has expired; make another";
    if (state_ == State::finished) why = "it is finished; make another";
    throw RuntimeError(std::string("Timeout.reschedule: ") + why);
  }
  timer_->loop().check_thread("Timeout.reschedule");
  when_ = when;
  timer_->clear();
  arm();
}

void Timeout::expire() {
  CancelRequest request;
  request.reason = CancelReason::deadline;
  request.where = where_;
  task_->cancel(impl::make_cancelled(std::move(request)));
  state_ = State::expiring;
}

/// Returns whether the Cancelled that comes out of the body is this deadline's.
bool Timeout::leave() noexcept {
  timer_->clear();
  timer_ = nullptr;
  if (state_ != State::expiring) {
    state_ = State::finished;
    return false;
  }
  state_ = State::expired;
  // A scope around this that is cancelled too will catch it.
  return task_->uncancel() <= cancelling_ && impl::ScopeBase::in_effect(task_->scope()) == nullptr;
}

}  // namespace jumpcut
