// jumpcut/wait_for.hpp: who is cancelled, what is waited for, and what comes out.

#include <jumpcut/wait_for.hpp>

#include <jumpcut/gather.hpp>

#include <exception>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::current_task;
using jumpcut::Future, jumpcut::sleep, jumpcut::TimeoutError, jumpcut::wait_for;

TEST_CASE("wait_for calls a function in the caller's own task, and returns its value") {
  on_loop([] {
    const auto self = current_task();
    CHECK(wait_for(
              [&] {
                CHECK(current_task() == self);
                return std::string("done");
              },
              1s) == "done");
    CHECK(wait_for([] { return 2; }, std::nullopt) == 2);
    wait_for([] { sleep(1s); }, std::optional(2s));
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("wait_for of a function that does not wait does not switch") {
  on_loop([] {
    bool other_ran = false;
    auto other = create_task([&] { other_ran = true; });
    wait_for([] {}, 1s);
    CHECK_FALSE(other_ran);
    await(other);
  });
}

TEST_CASE("wait_for throws TimeoutError when the time passes first") {
  on_loop([] {
    CHECK_THROWS_AS(wait_for([] { sleep(1h); }, 1s), TimeoutError);
    CHECK(elapsed() == 1s);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("wait_for cancels the task that it waits for") {
  on_loop([] {
    bool running = false;
    auto task = create_task([&] {
      running = true;
      try {
        sleep(1h);
      } catch (const Cancelled& cancelled) {
        CHECK(cancelled.reason() == jumpcut::CancelReason::deadline);
        running = false;
        throw;
      }
      return 1;
    });
    CHECK_THROWS_AS(wait_for(task, 100ms), TimeoutError);
    CHECK(task.cancelled());
    CHECK_FALSE(running);
  });
}

TEST_CASE("wait_for waits for the clean-up of what it cancelled") {
  on_loop([] {
    bool cleaned = false;
    auto inner = create_task([&] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
        sleep(1s);
        cleaned = true;
        throw;
      }
    });
    bool nested = false;
    try {
      wait_for(inner, 1s);
    } catch (const TimeoutError& error) {
      CHECK(cleaned);
      CHECK_THROWS_AS(std::rethrow_if_nested(error), Cancelled);
      nested = true;
    }
    CHECK(nested);
    CHECK(elapsed() == 2s);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("wait_for with no time left returns the result of what is done") {
  on_loop([] {
    Future<std::string> future;
    future.set_result("done");
    CHECK(wait_for(future, 0s) == "done");
    CHECK(wait_for(future, -1s) == "done");
    Future<> cancelled;
    cancelled.cancel();
    CHECK_THROWS_AS(wait_for(cancelled, 0s), Cancelled);
  });
}

TEST_CASE("wait_for with no time left does not begin the function") {
  for (const auto delay : {0s, -1s}) {
    on_loop([&] {
      bool started = false;
      CHECK_THROWS_AS(wait_for([&] { started = true; }, delay), TimeoutError);
      CHECK_THROWS_AS(wait_for([&] { return started = true; }, std::optional(delay)), TimeoutError);
      CHECK_FALSE(started);
      CHECK(elapsed() == 0s);
    });
  }
}

TEST_CASE("wait_for with no time left takes the three ticks of a task that is cancelled at once") {
  on_loop([] {
    int rounds = 0;
    auto counter = create_task([&] {
      for (;;) {
        sleep(0s);
        ++rounds;
      }
    });
    sleep(0s);
    CHECK_THROWS_AS(wait_for([] {}, 0s), TimeoutError);
    CHECK(rounds == 3);
    CHECK(all_cancelled(counter));
  });
}

TEST_CASE("wait_for with no time left cancels a running task and waits for its end") {
  for (const auto delay : {0s, -1s}) {
    on_loop([&] {
      bool cleaned = false;
      auto task = create_task([&] {
        try {
          sleep(10s);
        } catch (const Cancelled&) {
          sleep(1s);
          cleaned = true;
          throw;
        }
        return 1;
      });
      sleep(0s);
      CHECK_THROWS_AS(wait_for(task, delay), TimeoutError);
      CHECK(task.cancelled());
      CHECK(cleaned);
      CHECK(elapsed() == 1s);
    });
  }
}

TEST_CASE("wait_for with no time left returns the value of a task that swallows Cancelled") {
  on_loop([] {
    auto task = create_task([] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
      }
      return 42;
    });
    sleep(0s);
    CHECK(wait_for(task, 0s) == 42);
  });
}

TEST_CASE("wait_for with no time left says whose cancellation its TimeoutError comes of") {
  on_loop([] {
    const auto check = [](const Future<>& future) {
      try {
        wait_for(future, 0s);
        FAIL("it returned");
      } catch (const TimeoutError& error) {
        CHECK_THROWS_AS(std::rethrow_if_nested(error), Cancelled);
      }
    };
    check(create_task([] { sleep(1h); }));
    // A gather fails with the Cancelled of what it gathers, and is not cancelled itself.
    check(jumpcut::gather_future(create_task([] { sleep(1h); })));
  });
}

TEST_CASE("cancelling wait_for with no time left leaves the task to its clean-up") {
  on_loop([] {
    auto task = create_task([] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
        sleep(5s);
        throw;
      }
    });
    sleep(0s);
    auto waiter = create_task([&] { wait_for(task, 0s); });
    sleep(1s);
    waiter.cancel();
    CHECK_THROWS_AS(await(waiter), Cancelled);
    CHECK_FALSE(task.done());
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(elapsed() == 5s);
  });
}

TEST_CASE("wait_for returns the value of a function that suppresses the cancellation") {
  on_loop([] {
    CHECK(wait_for(
              [] {
                try {
                  sleep(10s);
                } catch (const Cancelled&) {
                  return 42;
                }
                return 0;
              },
              100ms) == 42);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("wait_for throws the error that comes out of the cancelled task") {
  on_loop([] {
    auto task = create_task([] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
        throw Boom("in the clean-up");
      }
    });
    CHECK_THROWS_AS(wait_for(task, 1s), Boom);
  });
}

TEST_CASE("a result that comes in time is returned") {
  on_loop([] {
    Future<std::string> future;
    jumpcut::get_running_loop().call_soon([&] { future.set_result("ok"); });
    CHECK(wait_for(future, 200ms) == "ok");
  });
}

TEST_CASE("cancelling wait_for cancels the task that it waits for, and throws Cancelled") {
  for (const auto delay : {std::optional<std::chrono::seconds>(), std::optional(60s)}) {
    on_loop([&] {
      auto task = create_task([] { await(Future<>()); });
      auto waiter = create_task([&] { wait_for(task, delay); });
      jumpcut::get_running_loop().call_soon([&] { waiter.cancel(); });
      CHECK_THROWS_AS(await(waiter), Cancelled);
      CHECK(task.cancelled());
    });
  }
}

TEST_CASE("cancelling wait_for waits for a function that ignores it") {
  on_loop([] {
    bool ended = false;
    auto waiter = create_task([&] {
      wait_for(
          [&] {
            while (elapsed() < 200ms) {
              try {
                sleep(200ms - elapsed());
              } catch (const Cancelled&) {
              }
            }
            ended = true;
          },
          400ms);
    });
    sleep(0s);
    waiter.cancel();
    await(waiter);
    CHECK(ended);
    CHECK(elapsed() == 200ms);
  });
}

TEST_CASE("cancelling a caller whose task has just ended cancels the caller only") {
  on_loop([] {
    auto inner = create_task([] { return 1; });
    bool reached_end = false;
    auto waiter = create_task([&] {
      wait_for(inner, 100s);
      sleep(1s);
      reached_end = true;
    });
    sleep(0s);
    waiter.cancel();
    CHECK_THROWS_AS(await(waiter), Cancelled);
    CHECK(inner.result() == 1);
    CHECK_FALSE(reached_end);
  });
}

TEST_CASE("wait_for moves a value that can't be copied") {
  on_loop([] {
    auto task = create_task([] { return std::make_unique<int>(3); });
    CHECK(*wait_for(task, 1s) == 3);
    CHECK(*wait_for([] { return std::make_unique<int>(4); }, 1s) == 4);
  });
}

TEST_CASE("wait_for is refused outside a task") {
  CHECK_THROWS_AS(wait_for([] {}, 1s), jumpcut::RuntimeError);
  CHECK_THROWS_AS(wait_for([] {}, 0s), jumpcut::RuntimeError);
}
