#include <jumpcut/wait_for.hpp>

#include <jumpcut/cancelled.hpp>

#include "loop/deadline_timer.hpp"
#include "task/relay.hpp"

#include <exception>
#include <utility>

namespace jumpcut::impl {

void cancel_in_time(FutureBase& future, const SourceLocation& where) {
  Waiting waiting(TaskBase::running("wait_for").space(), "wait_for()");
  {
    // Not the future itself: cancelling the caller must not wait for it.
    const Relay relay(future, waiting);
    CancelRequest request;
    request.reason = CancelReason::deadline;
    request.where = where;
    future.cancel(make_cancelled(std::move(request)));
    TaskBase::wait_until_done(waiting, "wait_for");
    waiting.get();
  }
  try {
    future.get();
  } catch (const Cancelled&) {
    std::throw_with_nested(TimeoutError(timeout_text("wait_for", where)));
  }
}

}  // namespace jumpcut::impl
