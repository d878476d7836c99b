// jumpcut/clock.hpp: the clocks, and how durations become moments.

#include <jumpcut/clock.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include <time.h>

#include <catch2/catch.hpp>

using jumpcut::Clock;
using jumpcut::SteadyClock;
using jumpcut::TimePoint;
using jumpcut::ValueError;
using jumpcut::VirtualClock;
using jumpcut::impl::deadline_after;
using namespace std::chrono_literals;

namespace {

using Seconds = std::chrono::duration<double>;

constexpr TimePoint at(std::int64_t nanoseconds) {
  return TimePoint(std::chrono::nanoseconds(nanoseconds));
}

/// From 0, in nanoseconds.
template <class Duration>
std::int64_t after(Duration duration) {
  return deadline_after(TimePoint{}, duration).time_since_epoch().count();
}

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("the steady clock is CLOCK_MONOTONIC, and does not jump") {
  Clock& clock = SteadyClock::instance();
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  const TimePoint now = clock.now();
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(at(before.tv_sec * 1'000'000'000 + before.tv_nsec) <= now);
  CHECK(now <= at(after.tv_sec * 1'000'000'000 + after.tv_nsec));
  CHECK_FALSE(clock.jump_to(now + 1h));
  CHECK(clock.now() < now + 1h);
  CHECK(&clock == &SteadyClock::instance());
}

TEST_CASE("a virtual clock begins at 0 and goes where it is sent") {
  VirtualClock clock;
  CHECK(clock.now() == TimePoint{});
  CHECK(clock.jump_to(at(5)));
  CHECK(clock.now() == at(5));
  CHECK(clock.jump_to(at(5)));
  clock.advance(2h);
  CHECK(clock.now() == at(5) + 2h);
  clock.advance(Seconds(0.5));
  CHECK(clock.now() == at(5) + 2h + 500ms);
  clock.advance(0s);
  CHECK(clock.now() == at(5) + 2h + 500ms);
}

TEST_CASE("a virtual clock never goes back, and never to never") {
  VirtualClock clock;
  clock.advance(10ns);
  CHECK_THROWS_WITH(clock.jump_to(at(9)),
                    "VirtualClock: it is 10 ns, and it can't go back to 9 ns");
  CHECK_THROWS_AS(clock.advance(-1ns), ValueError);
  CHECK_THROWS_AS(clock.advance(Seconds(not_a_number)), ValueError);
  CHECK_THROWS_WITH(clock.jump_to(TimePoint::max()), Catch::Contains("never"));
  CHECK_THROWS_AS(clock.advance(Seconds(infinity)), ValueError);
  CHECK(clock.now() == at(10));
}

TEST_CASE("durations of every period become nanoseconds") {
  CHECK(after(3ns) == 3);
  CHECK(after(3us) == 3'000);
  CHECK(after(3ms) == 3'000'000);
  CHECK(after(3s) == 3'000'000'000);
  CHECK(after(2h) == 7'200'000'000'000);
  CHECK(after(-3ms) == -3'000'000);
  CHECK(after(std::chrono::duration<unsigned char>(255)) == 255'000'000'000);
  CHECK(after(std::chrono::duration<std::uint64_t, std::micro>(7)) == 7'000);
  CHECK(deadline_after(at(1000), -1us) == at(0));
  CHECK(deadline_after(at(-5), 7ns) == at(2));
}

TEST_CASE("what is finer than a nanosecond is rounded up") {
  using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;
  CHECK(after(Picoseconds(1)) == 1);
  CHECK(after(Picoseconds(1000)) == 1);
  CHECK(after(Picoseconds(1001)) == 2);
  CHECK(after(Picoseconds(-1999)) == -1);
  CHECK(after(std::chrono::duration<int, std::ratio<1, 3>>(1)) == 333'333'334);
  CHECK(after(Seconds(1e-12)) == 1);
  CHECK(after(Seconds(2.5e-9)) == 3);
  CHECK(after(Seconds(-2.5e-9)) == -2);
}

TEST_CASE("a decimal fraction of a second is what it says") {
  CHECK(after(Seconds(0.1)) == 100'000'000);
  CHECK(after(Seconds(0.26)) == 260'000'000);
  CHECK(after(Seconds(1234.000'000'001)) == 1'234'000'000'001);
  CHECK(after(std::chrono::duration<float>(0.25F)) == 250'000'000);
  CHECK(after(std::chrono::duration<long double, std::milli>(0.3L)) == 300'000);
  int wrong = 0;
  for (std::int64_t micro = 1; micro < 2'000'000; micro += 7) {
    if (after(Seconds(static_cast<double>(micro) / 1e6)) != micro * 1000) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("what is too far away is never") {
  using Hours = std::chrono::duration<std::int64_t, std::ratio<3600>>;
  using Eons = std::chrono::duration<std::int64_t, std::exa>;
  CHECK(after(Hours::max()) == never);
  CHECK(after(Hours::min()) == least);
  CHECK(after(Eons(1)) == never);
  CHECK(after(Eons(-1)) == least);
  CHECK(after(Eons(0)) == 0);
  CHECK(after(std::chrono::duration<std::uint64_t, std::nano>::max()) == never);
  CHECK(after(std::chrono::nanoseconds::min()) == least);
  CHECK(after(Seconds(infinity)) == never);
  CHECK(after(Seconds(-infinity)) == least);
  CHECK(after(Seconds(1e300)) == never);
  CHECK(after(Seconds(9223372036.854775807)) == never);
  CHECK(deadline_after(at(never - 1), 1ns) == TimePoint::max());
  CHECK(deadline_after(at(never - 1), 5ns) == TimePoint::max());
  CHECK(deadline_after(at(least + 1), -5ns) == TimePoint::min());
  CHECK(deadline_after(TimePoint::max(), -5ns) == TimePoint::max());
}

TEST_CASE("a duration that is not a number is refused") {
  CHECK_THROWS_AS(after(Seconds(not_a_number)), ValueError);
  CHECK_THROWS_AS(after(std::chrono::duration<float>(std::numeric_limits<float>::quiet_NaN())),
                  ValueError);
  CHECK_THROWS_AS(deadline_after(TimePoint::max(), Seconds(not_a_number)), ValueError);
}
