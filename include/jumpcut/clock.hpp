#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/export.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace jumpcut {

/// A moment on a loop's clock: nanoseconds since that clock's own beginning. Moments of two kinds
/// of clock can't be compared. TimePoint::max() means never.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// What a loop reads the time from. Used by that loop's thread only, and outlives the loop.
class JUMPCUT_API Clock {
 public:
  Clock() noexcept = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock();

  /// Never less than it was before.
  virtual TimePoint now() noexcept = 0;

  /// The loop has nothing to do until then. True if the clock went there; false, if the loop must
  /// wait for the time to pass, as it must with every clock that is not virtual.
  virtual bool jump_to(TimePoint when);
};

/// The time that really passes: std::chrono::steady_clock, which is CLOCK_MONOTONIC on Linux.
/// Setting the date does not change it. It stands still while the machine is suspended, as it does
/// for Python's loop: a timer of ten seconds that was set just before is due ten seconds after the
/// machine resumes, however long that took. Programs that must notice a suspend compare it with the
/// date.
class JUMPCUT_API SteadyClock final : public Clock {
 public:
  /// The usual clock of every loop. May be used by all threads, until the process ends.
  static SteadyClock& instance() noexcept;

  TimePoint now() noexcept override;
};

}  // namespace jumpcut

namespace jumpcut::impl {

__extension__ typedef __int128 Int128;

/// Throws ValueError: a duration is not a number.
[[noreturn]] JUMPCUT_API void throw_nan_duration();

/// As a whole number of nanoseconds, rounded up, so that nothing is early; what is out of range is
/// the least or the greatest number.
template <class Rep, class Period>
std::int64_t saturated_nanoseconds(std::chrono::duration<Rep, Period> duration) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr Int128 numerator = Int128{Period::num} * std::nano::den;
  constexpr Int128 denominator = Period::den;
  if constexpr (std::is_integral_v<Rep>) {
    const Int128 count = duration.count();
    constexpr Int128 limit = Int128{most} * denominator / numerator;
    if (count > limit) return most;
    if (count < -limit) return least;
    const Int128 product = count * numerator;
    // Division rounds towards zero: up, if negative.
    const bool up = product > 0 && product % denominator != 0;
    return static_cast<std::int64_t>(product / denominator + (up ? 1 : 0));
  } else {
    using Float = std::conditional_t<std::is_same_v<Rep, long double>, long double, double>;
    const auto count = static_cast<Float>(duration.count());
    if (std::isnan(count)) throw_nan_duration();
    const Float exact = count * static_cast<Float>(numerator) / static_cast<Float>(denominator);
    if (exact >= static_cast<Float>(most)) return most;
    if (exact <= static_cast<Float>(least)) return least;
    // 0.26 s is no sum of powers of two: what differs by less than Rep can tell is not rounded up.
    const Float nearest = std::nearbyint(exact);
    const Float noise =
        std::abs(exact) * 2 * static_cast<Float>(std::numeric_limits<Rep>::epsilon());
    return static_cast<std::int64_t>(std::abs(exact - nearest) <= noise ? nearest
                                                                        : std::ceil(exact));
  }
}

/// So long after `now`, or before it, rounded up to nanoseconds. What is too far away for a
/// TimePoint, infinity among it, is never, or the least TimePoint; never stays never. Throws
/// ValueError if the duration is not a number.
template <class Rep, class Period>
TimePoint deadline_after(TimePoint now, std::chrono::duration<Rep, Period> duration) {
  const std::int64_t nanoseconds = saturated_nanoseconds(duration);
  if (now == TimePoint::max()) return now;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(now.time_since_epoch().count(), nanoseconds, &sum)) {
    return nanoseconds < 0 ? TimePoint::min() : TimePoint::max();
  }
  return TimePoint(std::chrono::nanoseconds(sum));
}

}  // namespace jumpcut::impl

namespace jumpcut {

/// A clock for tests and simulations: it stands still while anything is ready, and jumps to the
/// next timer when nothing is. So a program that waits for an hour takes no time, and each run of
/// it sees the same times.
class JUMPCUT_API VirtualClock final : public Clock {
 public:
  /// Begins at TimePoint{}, which is 0.
  VirtualClock() noexcept = default;

  TimePoint now() noexcept override { return now_; }

  /// Goes there. Throws ValueError if that is in the past, or never.
  bool jump_to(TimePoint when) override;

  /// Goes so much further. A loop sees it in its next turn. Throws ValueError if that is back, or
  /// beyond what a TimePoint can say.
  template <class Rep, class Period>
  void advance(std::chrono::duration<Rep, Period> by) {
    jump_to(impl::deadline_after(now_, by));
  }

 private:
  TimePoint now_{};
};

}  // namespace jumpcut
