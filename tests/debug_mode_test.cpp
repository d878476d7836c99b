// What debug mode reports: slow steps, tasks that are dropped while they wait, cancellations that
// are swallowed. And what is reported without it.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using Catch::Contains;
using Catch::Equals;
using Catch::Matches;
using Catch::StartsWith;
using jumpcut::await, jumpcut::create_task, jumpcut::ErrorContext, jumpcut::Future;
using jumpcut::get_running_loop, jumpcut::Loop, jumpcut::Task, jumpcut::VirtualClock;

namespace {

using Reports = std::vector<std::string>;

/// What the exception handler is told while body(clock) runs, on a loop whose steps take as long as
/// the body moves the clock on.
template <class Body>
Reports debug_reports_of(Body body, bool debug = true) {
  Reports reports;
  VirtualClock clock;
  jumpcut::RunOptions options;
  options.clock = &clock;
  options.debug = debug;
  options.handle_sigint = false;
  jumpcut::run(
      [&] {
        get_running_loop().set_exception_handler(
            [&](const ErrorContext& context) { reports.push_back(context.describe()); });
        body(clock);
      },
      options);
  return reports;
}

/// A callback that takes long.
struct Slow {
  VirtualClock* clock;
  void operator()() const { clock->advance(150ms); }
};

[[gnu::noinline]] Task<> begin_parked(const Future<>& gate) {
  Task<> task = create_task([gate] { await(gate); }, {.name = "lost"});
  asm volatile("" : : : "memory");
  return task;
}

}  // namespace

TEST_CASE("in debug mode a task's step that takes long is reported with the task's name") {
  const Reports reports = debug_reports_of([](VirtualClock& clock) {
    await(create_task([&] { clock.advance(2s); }, {.name = "chess"}));
    const auto body = [&] {
      jumpcut::sleep(1s);
      clock.advance(100ms);
      jumpcut::sleep(1h);
    };
    await(create_task(body, {.name = "later"}));
    clock.advance(1s);  // its last
  });
  CHECK(reports == Reports{"Executing task 'chess' took 2.000 s",
                           "Executing task 'later' took 0.100 s",
                           "Executing task 'Task-1' took 1.000 s"});
}

TEST_CASE(
    "a slow step that is neither a task's nor a given callback's is a callback without a name") {
  struct Value {
    VirtualClock* clock;
    explicit Value(VirtualClock& slow) noexcept : clock(&slow) {}
    Value(const Value& other) : clock(std::exchange(const_cast<Value&>(other).clock, nullptr)) {
      if (clock != nullptr) std::exchange(clock, nullptr)->advance(150ms);
    }
    Value(Value&&) = default;
  };
  const Reports reports = debug_reports_of([](VirtualClock& clock) {
    get_running_loop().call_soon([] {});
    const auto task = create_task([&] { return Value(clock); });
    await(jumpcut::gather_future(task));  // which copies the value, as somebody else may ask for it
  });
  CHECK(reports == Reports{"Executing a callback took 0.150 s"});
}

TEST_CASE("a handle that an exception drops is not reported: the exception is the news") {
  const Reports reports = debug_reports_of([](VirtualClock&) {
    const Future<> gate;
    const auto fail = [&] {
      const Task<> task = begin_parked(gate);
      throw std::runtime_error("news");
    };
    CHECK_THROWS_WITH(fail(), "news");
  });
  CHECK(reports.empty());
}

TEST_CASE("a slow step is reported even if its task ends there") {
  const Reports reports = debug_reports_of([](VirtualClock& clock) {
    create_task([&] { clock.advance(1s); }, {.name = "short"}).detach();
    ticks(2);
  });
  CHECK(reports == Reports{"Executing task 'short' took 1.000 s"});
}

TEST_CASE("in debug mode callbacks that take long are reported with their kind and their type") {
  const Reports reports = debug_reports_of([](VirtualClock& clock) {
    Loop& loop = get_running_loop();
    loop.call_soon(Slow{&clock});
    ticks(2);
    loop.call_later(1s, Slow{&clock});
    jumpcut::sleep(2s);
    loop.call_soon_threadsafe(Slow{&clock});
    ticks(2);
    const Future<> future;
    future.add_done_callback(Slow{&clock});
    future.set_result();
    ticks(2);
  });
  const std::string rest = " callback (anonymous namespace)::Slow took 0.150 s";
  CHECK(reports == Reports{"Executing call_soon" + rest, "Executing call_at" + rest,
                           "Executing call_soon_threadsafe" + rest,
                           "Executing done callback" + rest});
}

TEST_CASE("slow_callback_duration says what is slow") {
  Reports reports;
  VirtualClock clock;
  Loop loop({.clock = &clock, .debug = true, .slow_callback_duration = 3s});
  loop.set_exception_handler(
      [&](const ErrorContext& context) { reports.push_back(context.message); });
  loop.run_until_complete([&] {
    clock.advance(2s);
    ticks();
    clock.advance(3s);
    ticks(2);
  });
  CHECK(reports == Reports{"Executing task 'Task-1' took 3.000 s"});
}

TEST_CASE("in debug mode a tick of many quick steps that takes long is reported") {
  const Reports reports = debug_reports_of([](VirtualClock& clock) {
    for (int i = 0; i < 9; ++i) get_running_loop().call_soon([&] { clock.advance(20ms); });
    ticks(2);
    for (int i = 0; i < 4; ++i) get_running_loop().call_soon([&] { clock.advance(20ms); });
    ticks(2);
  });
  REQUIRE(reports.size() == 1);
  CHECK_THAT(reports[0], Matches("A tick of (9|10) steps, none of them slow by itself, took "
                                 "0.180 s"));
}

TEST_CASE("steps are not measured without debug mode, and waiting is no step") {
  CHECK(debug_reports_of(
            [](VirtualClock& clock) {
              get_running_loop().call_soon(Slow{&clock});
              ticks(2);
              clock.advance(1s);
              ticks(2);
            },
            false)
            .empty());
  CHECK(debug_reports_of([](VirtualClock&) { jumpcut::sleep(1h); }).empty());
}

TEST_CASE("Loop.set_debug takes effect while the loop runs") {
  const Reports reports = debug_reports_of(
      [](VirtualClock& clock) {
        const auto slow_task = [&](const char* name) {
          await(create_task([&] { clock.advance(1s); }, {.name = name}));
          ticks(2);
        };
        Loop& loop = get_running_loop();
        slow_task("before");
        loop.set_debug(true);
        slow_task("during");
        begin_parked(Future<>());
        loop.set_debug(false);
        ticks(2);
        slow_task("after");
        begin_parked(Future<>());
      },
      false);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0] == "Executing task 'during' took 1.000 s");
  CHECK_THAT(reports[1], StartsWith("the last handle of task 'lost' was dropped"));
}

TEST_CASE("in debug mode a task that is dropped while it waits is reported, with where it began") {
  const Reports reports = debug_reports_of([](VirtualClock&) {
    const Future<> gate;
    {
      const Task<> task = begin_parked(gate);
      ticks(2);
    }
    ticks(2);
    gate.set_result();  // it is held by the loop all the same
    ticks(2);
  });
  REQUIRE(reports.size() == 1);
  INFO(reports[0]);
  CHECK_THAT(reports[0],
             Matches("the last handle of task 'lost' was dropped while it was pending, and nobody "
                     "awaits it: keep the handle, await it, or detach\\(\\) it, of task 'lost'; it "
                     "was created by\n    [^\n]*begin_parked\\((.|\n)*"));
}

TEST_CASE("a task that is awaited, detached, done or cancelled may be dropped") {
  const Reports reports = debug_reports_of([](VirtualClock&) {
    const Future<> gate;
    Task<> awaited = begin_parked(gate);
    const auto other = create_task([&] { await(std::exchange(awaited, {})); });
    ticks(2);
    begin_parked(gate).detach();
    {
      const Task<> done = create_task([] {});
      ticks(2);
      Task<> cancelled = begin_parked(gate);
      cancelled.cancel();
      const Task<> copied = other;
    }
    ticks(2);
    gate.cancel();
    CHECK(is_cancelled([&] { await(other); }));
  });
  CHECK(reports.empty());
}

TEST_CASE("in debug mode the report of a lost exception says where its task was created") {
  for (const bool debug : {false, true}) {
    std::optional<ErrorContext> told;
    VirtualClock clock;
    Loop loop({.clock = &clock, .debug = debug});
    loop.set_exception_handler([&](const ErrorContext& context) { told = context; });
    loop.run_until_complete([&] {
      const Future<> gate;
      const auto task = begin_parked(gate);
      ticks();
      gate.set_exception(std::runtime_error("no such row"));
      ticks();
      REQUIRE(task.done());
      CHECK_FALSE(told.has_value());
      ticks();
      REQUIRE(told.has_value());
    });
    CHECK_THAT(told->describe(),
               StartsWith("Task exception was never retrieved, of task 'lost': no such row"));
    if (debug) {
      CHECK_THAT(told->created, Contains("begin_parked("));
    } else {
      CHECK(told->created.empty());
    }
  }
}

TEST_CASE("a swallowed cancellation is counted, and in debug mode reported with who asked") {
  for (const bool debug : {false, true}) {
    const Reports reports = debug_reports_of(
        [](VirtualClock&) {
          const auto stubborn = [] { is_cancelled([] { jumpcut::sleep(1h); }); };
          const auto task = create_task(stubborn, {.name = "stubborn"});
          ticks();
          task.cancel("enough");
          await(task);
          CHECK(get_running_loop().stats().swallowed_cancellations == 1);

          const auto polite = [] {
            is_cancelled([] { jumpcut::sleep(1h); });
            jumpcut::current_task().uncancel();
          };
          const auto other = create_task(polite);
          ticks();
          other.cancel();
          await(other);
          CHECK(get_running_loop().stats().swallowed_cancellations == 1);
        },
        debug);
    if (!debug) {
      CHECK(reports.empty());
      continue;
    }
    REQUIRE(reports.size() == 1);
    CHECK_THAT(reports[0], Matches("Task 'stubborn' was cancelled, asked by task 'Task-1' at "
                                   "[^ ]*debug_mode_test.cpp:[0-9]+ [^\n]*: enough, and swallowed "
                                   "it: rethrow Cancelled, or call uncancel\\(\\)(.|\n)*"));
  }
}

TEST_CASE("JUMPCUT_DEBUG=1 switches debug mode on, in a program as it is") {
  const auto program = [](const char* debug) {
    return in_child([debug] {
      setenv("JUMPCUT_DEBUG", debug, 1);
      VirtualClock clock;
      jumpcut::run(
          [&] {
            await(create_task([&] { clock.advance(1s); }, {.name = "chess"}));
            ticks(2);
          },
          {.clock = &clock});
    });
  };
  CHECK_THAT(program("1").output, Contains("jumpcut: Executing task 'chess' took 1.000 s\n"));
  CHECK_THAT(program("0").output, Equals(""));
  CHECK_THAT(program("").output, Equals(""));
}

TEST_CASE("debug mode changes no order") {
  const auto order_of = [](bool debug) {
    std::string order;
    debug_reports_of(
        [&](VirtualClock&) {
          const auto step = [&](char name) {
            for (int i = 0; i < 3; ++i) {
              order += name;
              ticks();
            }
          };
          Loop& loop = get_running_loop();
          loop.call_soon([&] { order += '1'; });
          const auto a = create_task([&] { step('a'); });
          loop.call_later(0s, [&] { order += '2'; });
          const auto b = create_task([&] { step('b'); }, {.eager_start = true});
          loop.call_soon([&] { loop.call_soon([&] { order += '3'; }); });
          await(a);
          await(b);
        },
        debug);
    return order;
  };
  CHECK(order_of(true) == order_of(false));
}
