#include <jumpcut/cancel_scope.hpp>

#include <jumpcut/cancelled.hpp>

#include "loop/deadline_timer.hpp"

#include <string>
#include <utility>

namespace jumpcut {

/// What is there while the code of a scope runs; on its task's stack.
class CancelScope::Entered final : public impl::ScopeBase {
 public:
  Entered(CancelScope& scope, impl::TaskBase& task)
      : ScopeBase(task),
        timer(
            impl::LoopState::of(*task.space().loop),
            [](void* self) { static_cast<CancelScope*>(self)->expire(); }, &scope),
        scope_(scope),
        // A request that was not thrown yet will be thrown inside, and isn't the scope's.
        cancelling_(task.cancelling() - (task.must_cancel() ? 1 : 0)) {
    scope_.entered_ = this;
  }
  ~Entered() { scope_.entered_ = nullptr; }

  bool catches() const noexcept {
    return cancelled() != nullptr && !cancelled_from_outside() &&
           task().cancelling() <= cancelling_;
  }

  impl::DeadlineTimer timer;

 private:
  CancelScope& scope_;
  std::uint32_t cancelling_;
};

bool CancelScope::run(impl::Body body, const char* call, const impl::SourceLocation& where) {
  if (used_) {
    throw RuntimeError(std::string(call) +
                       ": this CancelScope has already been entered; make one for each use");
  }
  impl::TaskBase& task = impl::TaskBase::running(call);
  used_ = true;
  where_ = where;
  Entered entered(*this, task);
  if (shield_) entered.set_shield(true);
  if (cancel_called_) {
    cancel_from(*cancelled_where_, false);
  } else {
    reschedule(deadline_);
  }
  try {
    body();
  } catch (const Cancelled&) {
    if (!entered.catches()) throw;
    caught_ = true;
  }
  return !caught_;
}

void CancelScope::cancel(impl::SourceLocation where) {
  if (entered_ != nullptr) entered_->timer.loop().check_thread("CancelScope.cancel");
  if (std::exchange(cancel_called_, true)) return;
  if (entered_ != nullptr) {
    cancel_from(where, false);
  } else {
    cancelled_where_ = where;
  }
}

void CancelScope::cancel_from(const impl::SourceLocation& where, bool deadline) {
  CancelRequest request;
  request.reason = CancelReason::scope;
  request.where = where;
  if (!deadline) {
    if (const impl::TaskBase* by = impl::TaskBase::current()) request.by = by->task_name();
  }
  entered_->timer.clear();
  entered_->cancel(impl::make_cancelled(std::move(request)));
}

void CancelScope::expire() {
  cancel_called_ = true;
  cancel_from(where_, true);
}

void CancelScope::reschedule(std::optional<TimePoint> deadline) {
  deadline_ = deadline;
  if (entered_ == nullptr || cancel_called_) return;
  impl::LoopState& loop = entered_->timer.loop();
  loop.check_thread("CancelScope.reschedule");
  entered_->timer.clear();
  if (!deadline.has_value()) return;
  if (*deadline <= loop.now()) return expire();
  entered_->timer.set(*deadline);
}

void CancelScope::set_shield(bool shield) {
  if (entered_ != nullptr) entered_->timer.loop().check_thread("CancelScope.set_shield");
  shield_ = shield;
  if (entered_ != nullptr) entered_->set_shield(shield);
}

namespace impl {

void throw_timeout(const char* call, const SourceLocation& where) {
  throw TimeoutError(timeout_text(call, where));
}

}  // namespace impl
}  // namespace jumpcut
