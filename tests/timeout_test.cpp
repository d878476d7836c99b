// jumpcut/timeout.hpp: what a deadline interrupts, and when that is a TimeoutError.

#include <jumpcut/exception_group.hpp>
#include <jumpcut/task_group.hpp>
#include <jumpcut/timeout.hpp>

#include <functional>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::current_task;
using jumpcut::Future, jumpcut::sleep, jumpcut::timeout, jumpcut::timeout_at, jumpcut::Timeout;
using jumpcut::TimeoutError, jumpcut::TimePoint;

namespace {

TimePoint now() {
  return jumpcut::get_running_loop().time();
}

}  // namespace

TEST_CASE("timeout returns what its body returns") {
  on_loop([] {
    CHECK(timeout(10s, [] {
            sleep(1s);
            return 42;
          }) == 42);
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("timeout returns a reference as a reference") {
  on_loop([] {
    int number = 1;
    timeout(1s, [&]() -> int& { return number; }) = 2;
    CHECK(number == 2);
  });
}

TEST_CASE("timeout throws TimeoutError when the time passes first") {
  on_loop([] {
    Timeout scope(10ms);
    CHECK_THROWS_AS(timeout(scope, [] { sleep(10s); }), TimeoutError);
    CHECK(scope.expired());
    CHECK(elapsed() == 10ms);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("timeout_at throws TimeoutError at that time") {
  on_loop([] {
    sleep(5ms);
    const TimePoint deadline = now() + 10ms;
    Timeout scope(deadline);
    CHECK_THROWS_AS(timeout(scope, [] { sleep(10s); }), TimeoutError);
    CHECK(now() == deadline);
    CHECK(scope.when() == deadline);
    CHECK_THROWS_AS(timeout_at(now() + 1ms, [] { sleep(10s); }), TimeoutError);
    CHECK(elapsed() == 16ms);
  });
}

TEST_CASE("TimeoutError is nested around a Cancelled that says which deadline it was") {
  on_loop([] {
    bool nested = false;
    const unsigned line = __LINE__ + 2;
    try {
      timeout(1s, [] { sleep(10s); });
    } catch (const TimeoutError& error) {
      CHECK_THAT(error.what(), Catch::Contains("timeout() at"));
      CHECK_THAT(error.what(), Catch::Contains("timeout_test.cpp:" + std::to_string(line)));
      try {
        std::rethrow_if_nested(error);
      } catch (const Cancelled& cancelled) {
        nested = true;
        CHECK(cancelled.reason() == jumpcut::CancelReason::deadline);
        CHECK(cancelled.where().line == line);
        CHECK_FALSE(cancelled.has_message());
      }
    }
    CHECK(nested);
  });
}

TEST_CASE("of nested timeouts with the same deadline only the outermost throws TimeoutError") {
  on_loop([] {
    const TimePoint deadline = now() + 10ms;
    Timeout outer(deadline);
    Timeout inner(deadline);
    bool cancelled = false;
    CHECK_THROWS_AS(timeout(outer,
                            [&] {
                              try {
                                timeout(inner, [] { sleep(10s); });
                              } catch (const Cancelled&) {
                                cancelled = true;
                                throw;
                              }
                            }),
                    TimeoutError);
    CHECK(cancelled);
    CHECK(outer.expired());
    CHECK(inner.expired());
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("an inner deadline is the inner timeout's only") {
  on_loop([] {
    Timeout outer(10s);
    timeout(outer, [] {
      CHECK_THROWS_AS(timeout(1s, [] { sleep(5s); }), TimeoutError);
      sleep(1s);
    });
    CHECK_FALSE(outer.expired());
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("an outer deadline passes an inner timeout as Cancelled") {
  on_loop([] {
    Timeout inner(10s);
    CHECK_THROWS_AS(timeout(1s,
                            [&] {
                              CHECK_THROWS_AS(timeout(inner, [] { sleep(20s); }), Cancelled);
                              sleep(1s);
                              throw TimeoutError("later");
                            }),
                    TimeoutError);
    CHECK_FALSE(inner.expired());
  });
}

TEST_CASE("a body that waits for less than the deadline is not interrupted") {
  on_loop([] {
    Timeout scope(10s);
    timeout(scope, [] { sleep(10ms); });
    CHECK_FALSE(scope.expired());
    CHECK(scope.when() == TimePoint(10s));
    sleep(20s);  // the timer is gone
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("timeout without a time never expires") {
  on_loop([] {
    std::optional<TimePoint> when = now();
    timeout(std::nullopt, [&](Timeout& scope) {
      sleep(10h);
      when = scope.when();
      CHECK_FALSE(scope.expired());
    });
    CHECK(when == std::nullopt);
    timeout(std::optional<std::chrono::seconds>(), [] { sleep(1s); });
    timeout_at(std::nullopt, [] { sleep(1s); });
    CHECK_THROWS_AS(timeout(std::optional(1s), [] { sleep(2s); }), TimeoutError);
  });
}

TEST_CASE("a deadline that has passed interrupts the first wait of the body") {
  for (const auto delay : {0s, -11s}) {
    on_loop([&] {
      bool started = false;
      Timeout scope(delay);
      CHECK_THROWS_AS(timeout(scope,
                              [&] {
                                started = true;
                                sleep(0s);
                                FAIL("not interrupted");
                              }),
                      TimeoutError);
      CHECK(started);
      CHECK(scope.expired());
      CHECK(elapsed() == 0s);
    });
  }
}

TEST_CASE("a deadline that has passed has its turn behind what is ready") {
  on_loop([] {
    std::string log;
    auto& loop = jumpcut::get_running_loop();
    loop.call_soon([&] { log += "before "; });
    try {
      timeout(-1s, [&] {
        log += "body ";
        loop.call_soon([&] { log += "after "; });
        sleep(0s);
      });
    } catch (const TimeoutError&) {
      log += "timeout";
    }
    CHECK(log == "body before after timeout");
  });
}

TEST_CASE("a body that never waits is not timed out") {
  jumpcut::VirtualClock clock;
  jumpcut::run(
      [&] {
        Timeout scope(1s);
        CHECK(timeout(scope, [&] {
                clock.advance(5s);
                return 1;
              }) == 1);
        CHECK_FALSE(scope.expired());
        CHECK(timeout(0s, [] { return 2; }) == 2);
        sleep(0s);
        CHECK(current_task().cancelling() == 0);
      },
      {.clock = &clock});
}

TEST_CASE("an exception of the body passes a timeout") {
  on_loop([] {
    Timeout scope(1s);
    CHECK_THROWS_AS(timeout(scope, [] { throw Boom("x"); }), Boom);
    CHECK_FALSE(scope.expired());
  });
}

TEST_CASE("an exception that the body makes of Cancelled passes as it is") {
  on_loop([] {
    Timeout scope(1s);
    CHECK_THROWS_AS(timeout(scope,
                            [] {
                              try {
                                sleep(5s);
                              } catch (const Cancelled&) {
                                throw Boom("in the clean-up");
                              }
                            }),
                    Boom);
    CHECK(scope.expired());
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("a body that swallows Cancelled has its value returned, and the timeout is expired") {
  on_loop([] {
    Timeout scope(1s);
    const int value = timeout(scope, [] {
      try {
        sleep(5s);
      } catch (const Cancelled&) {
      }
      sleep(1s);
      return 7;
    });
    CHECK(value == 7);
    CHECK(scope.expired());
    CHECK(current_task().cancelling() == 0);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("somebody else's cancellation passes a timeout that has not expired") {
  on_loop([] {
    auto task = create_task([] {
      Timeout scope(10s);
      CHECK_THROWS_AS(timeout(scope,
                              [] {
                                current_task().cancel("stop");
                                sleep(10s);
                              }),
                      Cancelled);
      CHECK_FALSE(scope.expired());
      CHECK(current_task().cancelling() == 1);
      throw Boom("seen");
    });
    CHECK_THROWS_AS(await(task), Boom);
  });
}

TEST_CASE("a task that a timeout interrupted is not cancelled") {
  on_loop([] {
    auto task = create_task([] { CHECK_THROWS_AS(timeout(1ms, [] { sleep(1s); }), TimeoutError); });
    await(task);
    CHECK(task.done());
    CHECK_FALSE(task.cancelled());
  });
}

TEST_CASE("a cancellation at the very moment of the deadline is not a TimeoutError") {
  for (const bool cancel_first : {true, false}) {
    on_loop([&] {
      auto task = create_task([] {
        Timeout scope(TimePoint(1s));
        CHECK_THROWS_AS(timeout(scope, [] { sleep(5s); }), Cancelled);
        CHECK(scope.expired());
        CHECK(current_task().cancelling() == 1);
      });
      auto& loop = jumpcut::get_running_loop();
      if (!cancel_first) sleep(0s);
      loop.call_at(TimePoint(1s), [&] { task.cancel(); });
      await(task);
    });
  }
}

TEST_CASE("a deadline in the tick of the result still wins, and the result is dropped") {
  on_loop([] {
    Future<int> future;
    jumpcut::get_running_loop().call_later(1s, [&] { future.set_result(1); });
    CHECK_THROWS_AS(timeout(1s, [&] { return await(future); }), TimeoutError);
    CHECK(future.result() == 1);
  });
}

TEST_CASE("a busy body is interrupted by the outer timeout where it next waits") {
  jumpcut::VirtualClock clock;
  jumpcut::run(
      [&] {
        CHECK_THROWS_AS(timeout(100ms,
                                [&] {
                                  CHECK_THROWS_AS(timeout(10ms,
                                                          [&] {
                                                            clock.advance(50ms);
                                                            sleep(1s);
                                                          }),
                                                  TimeoutError);
                                  sleep(10s);
                                }),
                        TimeoutError);
        CHECK(elapsed() == 100ms);
      },
      {.clock = &clock});
}

TEST_CASE("Timeout.reschedule moves the deadline, and takes it away") {
  on_loop([] {
    Future<Timeout*> entered;
    auto task = create_task([&] {
      timeout_at(TimePoint(10s), [&](Timeout& scope) {
        entered.set_result(&scope);
        try {
          sleep(50s);
        } catch (const Cancelled&) {
          CHECK_FALSE(scope.expired());
          throw;
        }
      });
    });
    Timeout& scope = *await(entered);
    CHECK(scope.when() == TimePoint(10s));
    scope.reschedule(TimePoint(30s));
    CHECK(scope.when() == TimePoint(30s));
    sleep(20s);
    CHECK_FALSE(task.done());
    scope.reschedule(std::nullopt);
    CHECK(scope.when() == std::nullopt);
    sleep(20s);
    CHECK_FALSE(task.done());
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
  });
}

TEST_CASE("Timeout.reschedule to a sooner time, or one that has passed") {
  on_loop([] {
    CHECK_THROWS_AS(timeout(10s,
                            [](Timeout& scope) {
                              scope.reschedule(now() + 1s);
                              sleep(5s);
                            }),
                    TimeoutError);
    CHECK(elapsed() == 1s);
    CHECK_THROWS_AS(timeout(std::nullopt,
                            [](Timeout& scope) {
                              scope.reschedule(now() - 1s);
                              scope.reschedule(now());
                              sleep(5s);
                            }),
                    TimeoutError);
    CHECK(elapsed() == 1s);
    timeout(0s, [](Timeout& scope) {
      scope.reschedule(now() + 10s);  // its turn in the ready queue is given up
      sleep(5s);
    });
    CHECK(elapsed() == 6s);
  });
}

TEST_CASE("Timeout.reschedule is refused before, while it expires, and after") {
  on_loop([] {
    const auto refusal = [](Timeout& scope) -> std::string {
      try {
        scope.reschedule(TimePoint(1h));
      } catch (const jumpcut::RuntimeError& error) {
        return error.what();
      }
      return "";
    };
    Timeout scope(1s);
    CHECK_THAT(refusal(scope), Catch::Contains("has not been entered"));
    timeout(scope, [&] {
      CHECK_THROWS_AS(sleep(5s), Cancelled);
      CHECK_THAT(refusal(scope), Catch::Contains("is expiring"));
    });
    CHECK_THAT(refusal(scope), Catch::Contains("has expired"));
    Timeout other(1s);
    timeout(other, [] {});
    CHECK_THAT(refusal(other), Catch::Contains("is finished"));
  });
}

TEST_CASE("a Timeout is entered once") {
  on_loop([] {
    Timeout scope(1s);
    timeout(scope, [&] {
      CHECK_THROWS_WITH(timeout(scope, [] {}), Catch::Contains("already been entered"));
    });
    CHECK_THROWS_WITH(timeout(scope, [] {}), Catch::Contains("already been entered"));
  });
}

TEST_CASE("timeout is refused outside a task, and without a body") {
  CHECK_THROWS_AS(timeout(1s, [] {}), jumpcut::RuntimeError);
  CHECK_THROWS_AS(timeout_at(TimePoint(), [] {}), jumpcut::RuntimeError);
  on_loop([] {
    jumpcut::get_running_loop().call_soon(
        [] { CHECK_THROWS_AS(timeout(1s, [] {}), jumpcut::RuntimeError); });
    sleep(0s);
    CHECK_THROWS_AS(timeout(1s, std::function<void()>()), jumpcut::ValueError);
  });
}

TEST_CASE("a cancelled task may time its clean-up") {
  on_loop([] {
    auto task = create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        CHECK_THROWS_AS(timeout(1s, [] { sleep(5s); }), TimeoutError);
        CHECK(current_task().cancelling() == 1);
        CHECK_THROWS_AS(timeout(1s,
                                [] {
                                  current_task().cancel();
                                  sleep(5s);
                                }),
                        Cancelled);
        throw;
      }
    });
    sleep(0s);
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("a timeout may run inside the clean-up of one that expired") {
  on_loop([] {
    CHECK_THROWS_AS(timeout(1s,
                            [] {
                              try {
                                sleep(10s);
                              } catch (const Cancelled&) {
                                CHECK_THROWS_AS(timeout(1s, [] { sleep(10s); }), TimeoutError);
                                throw;
                              }
                            }),
                    TimeoutError);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("a timeout around a task group cancels its tasks") {
  on_loop([] {
    Timeout scope(1s);
    try {
      timeout(scope, [] {
        jumpcut::task_group([](jumpcut::TaskGroup& group) {
          group.create_task([] {
            try {
              sleep(2s);
            } catch (const Cancelled&) {
              throw Boom("in the clean-up");
            }
          });
          sleep(5s);
        });
      });
      FAIL("nothing was thrown");
    } catch (const jumpcut::ExceptionGroup& group) {
      CHECK(group.contains<Boom>());
      CHECK(group.exceptions().size() == 1);
    }
    CHECK(scope.expired());
    CHECK(current_task().cancelling() == 0);
    CHECK_THROWS_AS(timeout(1s,
                            [] {
                              jumpcut::task_group([](jumpcut::TaskGroup& group) {
                                group.create_task([] { sleep(5s); });
                              });
                            }),
                    TimeoutError);
  });
}

TEST_CASE("a deadline that can't cancel a circle of tasks is reported, and passes in vain") {
  on_loop([] {
    std::string reported;
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext& context) { reported = context.message; });
    jumpcut::Task<> second;
    auto first = create_task([&] {
      Timeout scope(1s);
      try {
        timeout(scope, [&] { await(second); });
      } catch (const std::runtime_error&) {
      }
      CHECK_FALSE(scope.expired());
    });
    second = create_task([&] {
      try {
        await(first);
      } catch (const Cancelled&) {
      }
    });
    sleep(2s);
    CHECK(reported == "a task could not be cancelled at its deadline");
    CHECK_FALSE(first.done());
    CHECK_THROWS_AS(second.cancel(), jumpcut::RecursionError);
  });
}
