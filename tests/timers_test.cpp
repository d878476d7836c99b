// jumpcut/loop.hpp: call_later, call_at and sleep, in large numbers and on the clock that really
// passes.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <catch2/catch.hpp>

#include "by_hand.hpp"
#include "child.hpp"
#include "log.hpp"
#include "signal_storm.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::Loop, jumpcut::sleep, jumpcut::TimePoint, jumpcut::TimerHandle;
using jumpcut::VirtualClock;
using std::chrono::nanoseconds, std::chrono::duration;

namespace careless {

using namespace jumpcut;  // NOLINT(google-build-using-namespace): what a user may write

template <class Number>
constexpr bool can_sleep = requires(Number number) {
  sleep(number);
};

}  // namespace careless

namespace {

/// Under a sanitizer a million of anything takes too long.
constexpr std::size_t many = sanitized ? 100'000 : 1'000'000;

std::size_t resident_kib() {
  std::ifstream numbers("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  numbers >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace

TEST_CASE("sleep without a unit does not compile, and so is not the C library's") {
  STATIC_REQUIRE(careless::can_sleep<std::chrono::seconds>);
  STATIC_REQUIRE_FALSE(careless::can_sleep<int>);
  STATIC_REQUIRE_FALSE(careless::can_sleep<double>);
}

TEST_CASE("a million timers can be pending, and each is called at its time, in order") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::mt19937 random(5);  // NOLINT(*-msc51-cpp): the same each time
  std::size_t calls = 0;
  std::size_t wrong = 0;
  std::int64_t last = -1;
  for (std::size_t i = 0; i < many; ++i) {
    const nanoseconds when(random() % many);
    loop.call_at(TimePoint(when), [&, when] {
      // The tick takes all that is due, and nothing of what is not.
      if (when.count() < last || clock.now() != TimePoint(when)) ++wrong;
      last = when.count();
      if (++calls == many) loop.stop();
    });
  }
  CHECK(loop.stats().timers == many);
  loop.run_forever();
  CHECK(calls == many);
  CHECK(wrong == 0);
  CHECK(loop.stats().timers == 0);
}

TEST_CASE("a million timers of one moment are called in the order in which they were set") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::size_t calls = 0;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < many; ++i) {
    loop.call_at(TimePoint(1s), [&, i] {
      if (calls++ != i) ++wrong;
      if (calls == many) loop.stop();
    });
  }
  loop.run_forever();
  CHECK(calls == many);
  CHECK(wrong == 0);
  CHECK(loop.stats().ticks == 1);
}

TEST_CASE("timers that are cancelled leave nothing behind, in whatever order, a million of them") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::vector<TimerHandle> handles;
  handles.reserve(many);
  const auto order = GENERATE(0, 1);
  int destroyed = 0;
  for (std::size_t i = 0; i < many; ++i) {
    handles.push_back(loop.call_later(nanoseconds(i), [witness = Witness(destroyed)] { FAIL(); }));
  }
  if (order == 1) {
    std::shuffle(handles.begin(), handles.end(), std::mt19937(7));  // NOLINT(*-msc51-cpp)
  }
  for (std::size_t i = 0; i < many; ++i) {
    handles[i].cancel();
    handles[i].cancel();
  }
  CHECK(destroyed == static_cast<int>(many));
  CHECK(loop.stats().timers == 0);
  loop.call_later(1s, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(clock.now() == TimePoint(1s));
}

TEST_CASE("timeouts that are set and cancelled for ever take no more memory") {
  if (sanitized) return;  // what is freed stays for a while
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::vector<TimerHandle> pending;
  for (int i = 0; i < 1000; ++i) pending.push_back(loop.call_later(1h, [] {}));
  const auto set_and_cancel = [&] {
    for (std::size_t i = 0; i < many / 4; ++i) {
      const TimerHandle handle = loop.call_later(std::chrono::hours(1 + i % 24), [] { FAIL(); });
      pending[i % pending.size()].cancel();
      pending[i % pending.size()] = handle;
    }
    tick(loop);
  };
  set_and_cancel();
  const std::size_t before = resident_kib();
  for (int round = 0; round < 3; ++round) set_and_cancel();
  CHECK(resident_kib() < before + 512);
  CHECK(loop.stats().timers == 1000);
}

TEST_CASE("timers that fire for ever take no more memory") {
  if (sanitized) return;
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::size_t calls = 0;
  std::function<void()> again = [&] {
    if (++calls % (many / 4) == 0) return loop.stop();
    loop.call_later(1ms, [&] { again(); });
  };
  const auto round = [&] {
    again();
    loop.run_forever();
  };
  round();
  const std::size_t before = resident_kib();
  for (int i = 0; i < 3; ++i) round();
  CHECK(resident_kib() < before + 512);
}

TEST_CASE("no timer is early on the real clock, however short") {
  Loop loop;
  int early = 0;
  int calls = 0;
  const auto shortest = GENERATE(0ns, 1ns, 999ns, 50us, 333us, 999us, 1ms, 1500us);
  constexpr int count = 20;
  for (int i = 0; i < count; ++i) {
    const TimePoint when = loop.time() + shortest * (i + 1);
    loop.call_at(when, [&, when] {
      if (loop.time() < when) ++early;
      if (++calls == count) loop.stop();
    });
  }
  loop.run_forever();
  CHECK(early == 0);
  CHECK(calls == count);
}

TEST_CASE("a sleep on the real clock is never too short") {
  int early = 0;
  jumpcut::run([&] {
    Loop& loop = jumpcut::get_running_loop();
    for (const auto pause : {1ns, 999ns, 10'001ns, 100'500ns, 999'999ns, 2'000'001ns}) {
      for (int i = 0; i < 5; ++i) {
        const TimePoint before = loop.time();
        sleep(pause);
        if (loop.time() - before < pause) ++early;
      }
    }
  });
  CHECK(early == 0);
}

TEST_CASE("a deadline costs at most three polls, and one more for each signal that comes") {
  Loop loop;
  for (const nanoseconds pause : {nanoseconds(999us), nanoseconds(7'100us)}) {
    const int count = pause < 1ms ? 100 : 15;
    int early = 0;
    const std::uint64_t before = loop.stats().polls;
    const SignalStorm storm(1ms);
    loop.run_until_complete([&] {
      for (int i = 0; i < count; ++i) {
        const TimePoint from = loop.time();
        sleep(pause);
        if (loop.time() - from < pause) ++early;
      }
    });
    const std::uint64_t polls = loop.stats().polls - before;
    CHECK(early == 0);
    CHECK(SignalStorm::taken() > 0);
    CHECK(polls <= static_cast<std::uint64_t>(2 * count + SignalStorm::taken()));
    // So when they are a millisecond apart, there are three in all.
    if (pause < 1ms && SignalStorm::taken() <= count)
      CHECK(polls <= static_cast<std::uint64_t>(3 * count));
  }
}

TEST_CASE(
    "without signals a deadline costs one poll: no waking up too early, none at all while "
    "there is something to do") {
  Loop loop;
  constexpr int count = 50;
  const std::uint64_t before = loop.stats().polls;
  loop.run_until_complete([&] {
    for (int i = 0; i < count; ++i) sleep(100us);
  });
  CHECK(loop.stats().polls - before <= 2 * count);
  const std::uint64_t after = loop.stats().polls;
  auto handle = loop.call_later(1h, [] { FAIL(); });
  loop.run_until_complete([] {
    for (int i = 0; i < 1000; ++i) sleep(0s);
  });
  CHECK(loop.stats().polls == after);
  handle.cancel();
}

TEST_CASE("a delay of less than nothing is over: in the next tick, before later ones") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  clock.advance(1s);
  Log log;
  loop.call_later(0s, [&] { log("zero"); });
  loop.call_later(-1s, [&] { log("-1"); });
  loop.call_later(duration<double>(std::numeric_limits<double>::min()), [&] { log("least"); });
  loop.call_later(duration<double>(-std::numeric_limits<double>::infinity()), [&] { log("-inf"); });
  loop.call_later(std::chrono::hours::min(), [&] { log("min"); });
  loop.call_soon([&] { log("soon"); });
  tick(loop);
  CHECK(log.take() == "soon -inf min -1 zero");
  clock.advance(1ns);
  tick(loop);
  CHECK(log.take() == "least");
}

TEST_CASE("a delay that is not a number is refused, and leaves nothing") {
  Loop loop;
  int destroyed = 0;
  const duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  const auto call = [&](auto delay) {
    loop.call_later(delay, [witness = Witness(destroyed)] { FAIL(); });
  };
  CHECK_THROWS_AS(call(nan), jumpcut::ValueError);
  CHECK_THROWS_WITH(call(nan), Contains("not a number"));
  CHECK_THROWS_AS(call(duration<float>(std::numeric_limits<float>::quiet_NaN())),
                  jumpcut::ValueError);
  CHECK_THROWS_AS(loop.run_until_complete([&] { sleep(nan); }), jumpcut::ValueError);
  CHECK(destroyed == 3);
  CHECK(loop.stats().timers == 0);
}

TEST_CASE("a delay beyond all time is never, and its function goes with its last handle") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  int destroyed = 0;
  const auto never = [&](auto delay) {
    return loop.call_later(delay, [witness = Witness(destroyed)] { FAIL(); });
  };
  TimerHandle longest = never(std::chrono::hours::max());
  TimerHandle infinite = never(duration<double>(std::numeric_limits<double>::infinity()));
  TimerHandle at = loop.call_at(TimePoint::max(), [witness = Witness(destroyed)] { FAIL(); });
  CHECK(longest.when() == TimePoint::max());
  CHECK(loop.stats().timers == 0);
  clock.advance(1h);
  tick(loop, 3);
  CHECK(destroyed == 0);
  longest.cancel();
  CHECK(longest.cancelled());
  CHECK(destroyed == 1);
  infinite = TimerHandle();
  CHECK(destroyed == 2);
  loop.close();
  at = TimerHandle();
  CHECK(destroyed == 3);
}

TEST_CASE("years ahead is not never") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  bool called = false;
  loop.call_later(std::chrono::hours(24 * 365 * 200), [&] {
    called = true;
    loop.stop();
  });
  loop.run_forever();
  CHECK(called);
  CHECK(clock.now() == TimePoint(std::chrono::hours(24 * 365 * 200)));
}

TEST_CASE("a timer that is due can be cancelled until its turn, by those before it") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  int destroyed = 0;
  Log log;
  std::vector<TimerHandle> handles;
  const auto cancel_all = [&] {
    log("first");
    for (const auto& handle : handles) handle.cancel();
    CHECK(destroyed == 3);
  };
  loop.call_later(1s, cancel_all);
  for (int i = 0; i < 3; ++i) {
    handles.push_back(loop.call_later(1s, [witness = Witness(destroyed)] { FAIL(); }));
  }
  loop.call_later(1s, [&] {
    log("last");
    loop.stop();
  });
  loop.run_forever();
  CHECK(log.take() == "first last");
  for (const auto& handle : handles) CHECK(handle.cancelled());
}

TEST_CASE("a timer that was called can be cancelled, to no effect") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  TimerHandle handle;
  bool called = false;
  handle = loop.call_later(1s, [&, text = std::string(100, 't')] {
    handle.cancel();
    called = text.size() == 100;
    loop.stop();
  });
  loop.run_forever();
  CHECK(called);
  handle.cancel();
  const TimerHandle next = loop.call_later(1s, [&] { loop.stop(); });
  handle.cancel();
  loop.run_forever();
  CHECK(clock.now() == TimePoint(2s));
}

TEST_CASE("a timer set by a timer is never called in the same tick, however soon") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Log log;
  loop.call_later(0s, [&] {
    log("outer");
    loop.call_later(0s, [&] { log("inner"); });
    loop.call_at(TimePoint::min(), [&] { log("past"); });
    loop.call_soon([&] { log("soon"); });
  });
  tick(loop);
  CHECK(log.take() == "outer");
  tick(loop);
  CHECK(log.take() == "soon past inner");
}

TEST_CASE(
    "a callback that takes long makes no later timer early, and those it passed come in order") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Log log;
  loop.call_later(1s, [&] {
    clock.advance(5s);
    loop.call_later(1s, [&] {
      log("fresh at " + std::to_string(clock.now().time_since_epoch() / 1s));
      loop.stop();
    });
  });
  loop.call_later(3s, [&] { log("three"); });
  loop.call_later(2s, [&] { log("two"); });
  loop.run_forever();
  CHECK(log.take() == "two three fresh at 7");
}
