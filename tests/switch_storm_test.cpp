// asm/<architecture>.*: a profiler's signal may come at any instruction of a switch. The handler's
// backtrace never crashes and never loses the callers.

#include "switch_pair.hpp"
#include "unwinding.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <thread>

#include <execinfo.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;

#if defined(__x86_64__)
constexpr auto between_signals = 50us;  // 20,000 a second
#else
constexpr auto between_signals = 5ms;  // an emulator that gets more does nothing else
#endif

struct Storm {
  const void* near = nullptr;  // the outermost functions
  const void* far = nullptr;
  const void* switching[3] = {};
  unsigned samples = 0;
  std::atomic<unsigned> inside =
      0;              // the interrupted instruction belongs to a function that switches
  unsigned lost = 0;  // of all samples, those without their outermost function
  unsigned lost_inside = 0;
  unsigned cut = 0;  // glibc's backtrace() ended before the unwinder's
} storm;

void on_profile(int, void* ucontext) {
  void* pc = unwinding::interrupted(ucontext);
  unwinding::Trace trace = unwinding::trace();
  void* addresses[unwinding::Trace::most];
  int length = backtrace(addresses, unwinding::Trace::most);
  int first = 0;
  while (first < trace.depth && trace.frames[first].pc != pc) ++first;
  bool inside = false;
  for (const void* function : storm.switching) {
    inside = inside || (first < trace.depth && trace.frames[first].function == function);
  }
  ++storm.samples;
  storm.inside += inside;
  int outermost = std::max(trace.find(storm.near, first), trace.find(storm.far, first));
  if (outermost < 0) {
    ++storm.lost;
    storm.lost_inside += inside;
  } else if (std::find(addresses, addresses + length, trace.frames[outermost].pc) ==
             addresses + length) {
    ++storm.cut;
  }
}

timer_t timer;

// Between begin and end the kernel sends signals to this thread as fast as it can, up to the rate.
void begin() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event._sigev_un._tid = gettid();
  timer_create(CLOCK_MONOTONIC, &event, &timer);
  itimerspec every{};
  every.it_value.tv_nsec = every.it_interval.tv_nsec =
      std::chrono::nanoseconds(between_signals).count();
  timer_settime(timer, 0, &every, nullptr);
}

void end() {
  timer_delete(timer);
}

// Runs on a thread of its own, so that every backtrace is short.
void run_under_fire(const pair::Variant& near, const pair::Variant& far, pair::Sides& sides,
                    std::chrono::nanoseconds time) {
  storm.near = reinterpret_cast<void*>(near.near);
  storm.far = reinterpret_cast<void*>(far.far);
  storm.switching[0] = reinterpret_cast<void*>(near.near_switch);
  storm.switching[1] = reinterpret_cast<void*>(far.far_switch);
  storm.switching[2] = reinterpret_cast<void*>(&jumpcut::impl::jumpcut_switch);
  std::thread target([&] {
    unwinding::Handler handler(SIGPROF, on_profile);
    near.near(sides);
  });
  // A loaded machine may not run the target at once.
  auto patience = std::chrono::steady_clock::now() + 20s;
  do {
    std::this_thread::sleep_for(time);
  } while (storm.inside < 10 && std::chrono::steady_clock::now() < patience);
  sides.stop = true;
  target.join();
}

void check_storm(const pair::Variant& near, const pair::Variant& far,
                 std::chrono::nanoseconds time) {
  constexpr std::size_t size = 64 * 1024;
  auto stack = std::make_unique<std::byte[]>(size);
  pair::Sides sides;
  sides.begin = begin;
  sides.end = end;
  pair::place(sides, far, stack.get(), size);
  storm.inside = 0;
  storm.samples = storm.lost = storm.lost_inside = storm.cut = 0;
  run_under_fire(near, far, sides, time);
  std::printf(
      "%-20s against %-20s %7u samples, %6u inside the switch, %u lost there, %u elsewhere\n",
      near.name, far.name, storm.samples, storm.inside.load(), storm.lost_inside,
      storm.lost - storm.lost_inside);
  std::fflush(stdout);
  INFO(near.name << " against " << far.name);
  CHECK(storm.samples > 0);
  CHECK(storm.inside > 0);
  CHECK(storm.lost == 0);
  CHECK(storm.cut == 0);
}

}  // namespace

TEST_CASE("a profiler's signal at any moment of a switch finds all callers") {
  REQUIRE(!pair::variants().empty());
  auto time = 500ms / pair::variants().size();
  for (const pair::Variant& variant : pair::variants()) check_storm(variant, variant, time);
}

TEST_CASE("a long storm of signals finds all callers, in every form", "[.slow]") {
  for (const pair::Variant& variant : pair::variants()) check_storm(variant, variant, 5s);
  check_storm(pair::variants().front(), pair::variants().back(), 5s);
}
