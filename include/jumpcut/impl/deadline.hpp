#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/sleep.hpp>

#include <chrono>
#include <optional>

namespace jumpcut::impl {

/// When that much time will have passed on the loop's clock; none for no duration.
template <class Rep, class Period>
std::optional<TimePoint> deadline_in(std::chrono::duration<Rep, Period> delay, const char* call) {
  return deadline_after(loop_now(call), delay);
}
template <class Rep, class Period>
std::optional<TimePoint> deadline_in(const std::optional<std::chrono::duration<Rep, Period>>& delay,
                                     const char* call) {
  if (!delay.has_value()) return std::nullopt;
  return deadline_in(*delay, call);
}
inline std::optional<TimePoint> deadline_in(std::nullopt_t, const char*) noexcept {
  return std::nullopt;
}

template <class Rep, class Period>
constexpr bool is_over(std::chrono::duration<Rep, Period> delay) noexcept {
  return delay <= delay.zero();
}
template <class Rep, class Period>
constexpr bool is_over(const std::optional<std::chrono::duration<Rep, Period>>& delay) noexcept {
  return delay.has_value() && is_over(*delay);
}
constexpr bool is_over(std::nullopt_t) noexcept {
  return false;
}

/// A duration, an optional one, or std::nullopt.
template <class Delay>
concept IsDelay = requires(const Delay& delay) {
  impl::deadline_in(delay, "");
};

/// What a scope with a deadline has in the loop's heap of timers; on the stack of who entered it.
class DeadlineTimer;

}  // namespace jumpcut::impl
