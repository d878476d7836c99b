// Cancellation as asyncio has it: rows 10 to 18.

#include <string>

#include <catch2/catch.hpp>

#include "rows.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::Future, jumpcut::sleep;
using jumpcut::current_task;

TEST_CASE("a task that is cancelled before its first step never begins", "[row-10]") {
  CHECK(row([](Log& log) {
          const auto task = create_task([&] { log("never"); });
          CHECK(task.cancel());
          CHECK(!task.cancelled());
          CHECK(task.cancelling() == 1);
          log.outcome("await", [&] { await(task); });
          CHECK(task.cancelled());
        }) == "await-cancelled");
}

TEST_CASE("cancelling a task cancels what it waits for, then the task", "[row-11]") {
  CHECK(row([](Log& log) {
          const Future<> future;
          future.add_done_callback([&] { log("callback"); });
          const auto task = create_task([&] {
            try {
              await(future);
            } catch (const Cancelled& error) {
              log("task-" + error.message());
              throw;
            }
          });
          ticks();
          task.cancel("m");
          CHECK(future.cancelled());
          CHECK(!task.cancelled());
          log.outcome("await", [&] { await(task); });
        }) == "callback task-m await-cancelled(m)");
}

TEST_CASE("a chain of tasks is cancelled from its innermost, a tick each", "[row-12]") {
  CHECK(row([](Log& log) {
          const auto logged = [&](const char* name, auto body) {
            return [&log, name, body] {
              try {
                body();
              } catch (const Cancelled&) {
                log(name);
                throw;
              }
            };
          };
          const auto inner = create_task(logged("inner", [] { sleep(1h); }));
          const auto mid = create_task(logged("mid", [&] { await(inner); }));
          const auto outer = create_task(logged("outer", [&] { await(mid); }));
          ticks(2);
          outer.cancel();
          for (int tick = 1; tick <= 3; ++tick) {
            ticks();
            log(std::to_string(tick));
          }
          CHECK(outer.cancelled());
        }) == "inner 1 mid 2 outer 3");
}

TEST_CASE("a task that swallows its cancellation goes on, and the request stays counted",
          "[row-13]") {
  CHECK(row([](Log& log) {
          const auto task = create_task([&] {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              log("count-" + std::to_string(current_task().cancelling()));
            }
            ticks();
            log("goes-on");
            return 7;
          });
          ticks();
          task.cancel();
          log.outcome("await", [&] { return await(task); });
          CHECK(task.cancelling() == 1);
          CHECK(!task.cancelled());
        }) == "count-1 goes-on await-7");
}

TEST_CASE("a request that is taken back before it arrives never does", "[row-13]") {
  CHECK(row([](Log& log) {
          const auto task = create_task([&] {
            current_task().cancel();
            log(std::to_string(current_task().uncancel()));
            ticks();
            log("goes-on");
          });
          log.outcome("await", [&] { await(task); });
        }) == "0 goes-on await-ok");
}

TEST_CASE("a task that is cancelled after it was woken loses what it was woken with", "[row-14]") {
  CHECK(row([](Log& log) {
          const Future<int> future;
          const auto task =
              create_task([&] { log.outcome("task", [&] { return await(future); }); });
          ticks();
          future.set_result(42);
          CHECK(task.cancel());
          log.outcome("await", [&] { await(task); });
          CHECK(future.result() == 42);
        }) == "task-cancelled await-ok");
}

TEST_CASE("a task that cancels itself and returns ends as cancelled", "[row-15]") {
  CHECK(row([](Log& log) {
          const auto task = create_task([] {
            current_task().cancel("x");
            return 5;
          });
          log.outcome("await", [&] { return await(task); });
          CHECK(task.cancelled());
        }) == "await-cancelled(x)");
}

TEST_CASE("two requests in one tick are one Cancelled, with the first message; later ones another",
          "[row-16]") {
  CHECK(row([](Log& log) {
          const auto task = create_task([&] {
            try {
              sleep(1h);
            } catch (const Cancelled& error) {
              log(error.message());
            }
            ticks();
            log("count-" + std::to_string(current_task().cancelling()));
            try {
              sleep(1h);
            } catch (const Cancelled& error) {
              log(error.message());
            }
            log("count-" + std::to_string(current_task().cancelling()));
          });
          ticks();
          task.cancel("a");
          task.cancel("b");
          ticks(3);
          task.cancel("c");
          await(task);
        }) == "a count-2 c count-3");
}

TEST_CASE("an inner task that swallows the cancellation gives the outer one its value",
          "[row-17]") {
  CHECK(row([](Log& log) {
          const auto inner = create_task([&] {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              log("inner");
            }
            return 3;
          });
          const auto outer = create_task([&] {
            log.outcome("outer", [&] { return await(inner); });
            return current_task().cancelling();
          });
          ticks(2);
          outer.cancel();
          log.outcome("await", [&] { return await(outer); });
          CHECK(!outer.cancelled());
        }) == "inner outer-3 await-1");
}

TEST_CASE("cancelling one of two tasks that await a future cancels both, and counts one",
          "[row-18]") {
  CHECK(row([](Log& log) {
          const Future<> future;
          const auto waiter = [&](const char* name) {
            return [&log, &future, name] {
              try {
                await(future);
              } catch (const Cancelled&) {
                log(name + std::to_string(current_task().cancelling()));
              }
            };
          };
          const auto a = create_task(waiter("a"));
          const auto b = create_task(waiter("b"));
          ticks();
          a.cancel();
          jumpcut::gather(a, b);
        }) == "a1 b0");
}
