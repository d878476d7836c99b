#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <chrono>
#include <type_traits>

namespace jumpcut {

namespace impl {

/// Waits until the time on the loop's clock has come.
JUMPCUT_API void sleep_until(TimePoint when, const char* call);
JUMPCUT_API TimePoint loop_now(const char* call);

}  // namespace impl

/// Returns once that time has passed; after zero or less, once all that is ready now has had its
/// turn. Never early. Throws Cancelled if the task is cancelled meanwhile, RuntimeError outside a
/// task, ValueError for a duration that is not a number.
template <class Rep, class Period>
[[gnu::always_inline]] inline void sleep(std::chrono::duration<Rep, Period> delay) {
  if (delay <= delay.zero()) return impl::TaskBase::yield("sleep");
  impl::sleep_until(impl::deadline_after(impl::loop_now("sleep"), delay), "sleep");
}

/// A number says no unit: write sleep(1s). Under `using namespace jumpcut` the C library's sleep(),
/// which stops the thread and every task with it, would take it silently.
template <class Number>
requires std::is_arithmetic_v<Number>
void sleep(Number seconds) = delete;

/// The same until a time on the loop's clock.
inline void sleep_until(TimePoint when) {
  impl::sleep_until(when, "sleep_until");
}

}  // namespace jumpcut
