#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/body.hpp>
#include <jumpcut/impl/deadline.hpp>
#include <jumpcut/impl/source_location.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace jumpcut {

/// A deadline for a piece of code: asyncio.Timeout. When it has passed, the task is cancelled where
/// it waits, and the Cancelled becomes a TimeoutError where the code ends. Entered once, by
/// timeout(); its loop's thread's.
class JUMPCUT_API Timeout {
 public:
  /// None: never.
  explicit Timeout(std::optional<TimePoint> when) noexcept : when_(when) {}
  /// So long from now on; the calling task's loop tells the time.
  template <impl::IsDelay Delay>
  explicit Timeout(const Delay& delay) : when_(impl::deadline_in(delay, "Timeout")) {}
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  /// The deadline, or none.
  std::optional<TimePoint> when() const noexcept { return when_; }
  /// Another deadline, or none. Throws RuntimeError before it is entered, after it has expired, and
  /// after its code has ended.
  void reschedule(std::optional<TimePoint> when);
  /// Whether the task was cancelled because the deadline had passed.
  bool expired() const noexcept { return state_ == State::expiring || state_ == State::expired; }

  /// For timeout(): calls body() with the deadline armed.
  void run(impl::Body body, const char* call, const impl::SourceLocation& where);

 private:
  enum class State : std::uint8_t { created, active, expiring, expired, finished };

  void arm();
  void expire();
  bool leave() noexcept;

  std::optional<TimePoint> when_;
  State state_ = State::created;
  const char* call_ = "timeout";
  impl::SourceLocation where_;
  impl::Ref<impl::TaskBase> task_;
  std::uint32_t cancelling_ = 0;  // as it was when the scope was entered
  impl::DeadlineTimer* timer_ = nullptr;
};

/// Returns once body(scope), or body(), has returned, and returns its value: `async with
/// asyncio.timeout(delay)`. If the time passes first, what the body waits for throws Cancelled, and
/// timeout() throws TimeoutError when that comes out of the body, nested around it. A body that
/// doesn't wait is not interrupted; one that catches Cancelled and returns has its value returned;
/// another exception passes as it is. If the task is cancelled by somebody else too, Cancelled
/// passes. A deadline that has passed already interrupts the body's first wait. Throws RuntimeError
/// outside a task.
template <impl::IsDelay Delay, class Function>
impl::BodyResult<Function, Timeout> timeout(
    const Delay& delay, Function&& body,
    impl::SourceLocation where = impl::SourceLocation::current()) {
  Timeout scope(impl::deadline_in(delay, "timeout"));
  return impl::run_body("timeout", std::forward<Function>(body), scope,
                        [&](impl::Body run) { scope.run(run, "timeout", where); });
}

/// The same with a time on the loop's clock; none for never.
template <class Function>
impl::BodyResult<Function, Timeout> timeout_at(
    std::optional<TimePoint> when, Function&& body,
    impl::SourceLocation where = impl::SourceLocation::current()) {
  Timeout scope(when);
  return impl::run_body("timeout_at", std::forward<Function>(body), scope,
                        [&](impl::Body run) { scope.run(run, "timeout_at", where); });
}

/// The same with a scope that outlives the call. Throws RuntimeError if it was entered before.
template <class Function>
impl::BodyResult<Function, Timeout> timeout(
    Timeout& scope, Function&& body, impl::SourceLocation where = impl::SourceLocation::current()) {
  return impl::run_body("timeout", std::forward<Function>(body), scope,
                        [&](impl::Body run) { scope.run(run, "timeout", where); });
}

}  // namespace jumpcut
