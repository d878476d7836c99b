#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/body.hpp>
#include <jumpcut/impl/deadline.hpp>
#include <jumpcut/impl/scope_base.hpp>
#include <jumpcut/impl/source_location.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// A piece of code that can be cut short: trio's CancelScope. Once it is cancelled, by cancel() or
/// its deadline, everything that its task waits for inside throws Cancelled, again and again until
/// the code is left, so that code which swallows one does not get stuck in the next. What is
/// complete already is not undone. The outermost cancelled scope catches its Cancelled; one that
/// Task.cancel() asked for passes.
///
/// Entered once, by cancel_scope(), move_on_after() or fail_after(); its loop's thread's.
class JUMPCUT_API CancelScope {
 public:
  /// Without a deadline.
  CancelScope() noexcept = default;
  explicit CancelScope(std::optional<TimePoint> deadline) noexcept : deadline_(deadline) {}
  /// So long from now on; the calling task's loop tells the time.
  template <impl::IsDelay Delay>
  explicit CancelScope(const Delay& delay) : deadline_(impl::deadline_in(delay, "CancelScope")) {}
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

  /// Cancels it, from any task or callback of the loop, also before it is entered. Does nothing the
  /// second time.
  void cancel(impl::SourceLocation where = impl::SourceLocation::current());
  bool cancel_called() const noexcept { return cancel_called_; }
  /// Whether the code was left by the scope's Cancelled.
  bool cancelled_caught() const noexcept { return caught_; }

  /// When it is cancelled by itself, or none.
  std::optional<TimePoint> deadline() const noexcept { return deadline_; }
  void reschedule(std::optional<TimePoint> deadline);

  /// As a shield, it keeps the cancellation of scopes around it out: for a clean-up that must wait.
  /// Its own deadline and cancel() still count, and so does Task.cancel().
  bool shield() const noexcept { return shield_; }
  void set_shield(bool shield);

  /// For cancel_scope(): calls body(). True if it came to its end, false if it was cut short.
  bool run(impl::Body body, const char* call, const impl::SourceLocation& where);

 private:
  class Entered;

  void expire();
  void cancel_from(const impl::SourceLocation& where, bool deadline);

  std::optional<TimePoint> deadline_;
  impl::SourceLocation where_;
  std::optional<impl::SourceLocation> cancelled_where_;  // before it was entered
  Entered* entered_ = nullptr;
  bool used_ = false;
  bool cancel_called_ = false;
  bool caught_ = false;
  bool shield_ = false;
};

namespace impl {

[[noreturn]] JUMPCUT_API void throw_timeout(const char* call, const SourceLocation& where);

/// True or false for a body without a value, else the value or none.
template <class Function>
auto move_on(const char* call, CancelScope& scope, Function&& body, const SourceLocation& where) {
  using Result = BodyResult<Function, CancelScope>;
  static_assert(!std::is_reference_v<Result>, "return a pointer instead of a reference");
  if constexpr (std::is_void_v<Result>) {
    bool completed = false;
    run_body(call, std::forward<Function>(body), scope,
             [&](Body run) { completed = scope.run(run, call, where); });
    return completed;
  } else {
    std::optional<Result> value;
    auto keep = [&](CancelScope& inside) {
      value.emplace(call_with(std::forward<Function>(body), inside));
    };
    run_body(call, keep, scope, [&](Body run) { scope.run(run, call, where); });
    return value;
  }
}

template <class Function>
BodyResult<Function, CancelScope> or_fail(const char* call, CancelScope& scope, Function&& body,
                                          const SourceLocation& where) {
  return run_body(call, std::forward<Function>(body), scope, [&](Body run) {
    if (!scope.run(run, call, where)) throw_timeout(call, where);
  });
}

}  // namespace impl

/// Returns once body(scope), or body(), has ended or was cut short. Of a body that returns a value,
/// that value, or none if it was cut short; of another, true, or false if it was cut short.
template <class Function>
auto cancel_scope(CancelScope& scope, Function&& body,
                  impl::SourceLocation where = impl::SourceLocation::current()) {
  return impl::move_on("cancel_scope", scope, std::forward<Function>(body), where);
}
template <class Function>
auto cancel_scope(Function&& body, impl::SourceLocation where = impl::SourceLocation::current()) {
  CancelScope scope;
  return impl::move_on("cancel_scope", scope, std::forward<Function>(body), where);
}

/// The same with a deadline: cuts the body short when so much time has passed.
template <impl::IsDelay Delay, class Function>
auto move_on_after(const Delay& delay, Function&& body,
                   impl::SourceLocation where = impl::SourceLocation::current()) {
  CancelScope scope(impl::deadline_in(delay, "move_on_after"));
  return impl::move_on("move_on_after", scope, std::forward<Function>(body), where);
}
template <class Function>
auto move_on_at(std::optional<TimePoint> deadline, Function&& body,
                impl::SourceLocation where = impl::SourceLocation::current()) {
  CancelScope scope(deadline);
  return impl::move_on("move_on_at", scope, std::forward<Function>(body), where);
}

/// Returns once body(scope), or body(), has ended, and returns its value; throws TimeoutError if it
/// was cut short, by the deadline or by scope.cancel(). Unlike timeout(), it does not let a body
/// that swallows Cancelled wait once more.
template <impl::IsDelay Delay, class Function>
impl::BodyResult<Function, CancelScope> fail_after(
    const Delay& delay, Function&& body,
    impl::SourceLocation where = impl::SourceLocation::current()) {
  CancelScope scope(impl::deadline_in(delay, "fail_after"));
  return impl::or_fail("fail_after", scope, std::forward<Function>(body), where);
}
template <class Function>
impl::BodyResult<Function, CancelScope> fail_at(
    std::optional<TimePoint> deadline, Function&& body,
    impl::SourceLocation where = impl::SourceLocation::current()) {
  CancelScope scope(deadline);
  return impl::or_fail("fail_at", scope, std::forward<Function>(body), where);
}

}  // namespace jumpcut
