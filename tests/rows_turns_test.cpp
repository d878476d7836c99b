// Turns of the loop as asyncio takes them: rows 1 to 9.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "rows.hpp"

using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::get_running_loop;
using jumpcut::sleep;

TEST_CASE("what a callback enqueues runs in the next tick", "[row-1]") {
  CHECK(row([](Log& log) {
          get_running_loop().call_soon([&] {
            log("a");
            soon(log, "a2");
          });
          soon(log, "b");
          soon(log, "c");
          ticks();
          log("m1");
          ticks();
          log("m2");
        }) == "a b c m1 a2 m2");
}

TEST_CASE("create_task does not run the task", "[row-2]") {
  CHECK(row([](Log& log) {
          log("before");
          const auto first = create_task([&] { log("t1"); });
          const auto second = create_task([&] { log("t2"); });
          log("after");
          await(first);
          log("main");
          await(second);
        }) == "before after t1 t2 main");
}

TEST_CASE("a call runs in the caller's task and yields only where it waits", "[row-3]") {
  CHECK(row([](Log& log) {
          const auto self = jumpcut::current_task();
          const auto g = [] { return 5; };
          const auto f = [&] {
            log(jumpcut::current_task() == self ? "same" : "another");
            ticks();
            return 1;
          };
          soon(log, "cs");
          log("g" + std::to_string(g()));
          log("r" + std::to_string(f()));
        }) == "g5 same cs r1");
}

TEST_CASE("callbacks of a future run in order, one added later behind them", "[row-4]") {
  CHECK(row([](Log& log) {
          const Future<> future;
          future.add_done_callback([&] { log("cb1"); });
          future.add_done_callback([&] { log("cb2"); });
          soon(log, "before");
          future.set_result();
          log("set");
          future.add_done_callback([&] { log("late"); });
          soon(log, "after");
          await(future);
          log("awaited");
          ticks();
          log("end");
        }) == "set awaited before cb1 cb2 late after end");
}

TEST_CASE("an awaiting task has its turn between the callbacks that came before and after",
          "[row-5]") {
  CHECK(row([](Log& log) {
          const Future<> future;
          future.add_done_callback([&] { log("cbA"); });
          const auto waiter = create_task([&] {
            await(future);
            log("w");
          });
          ticks();
          future.add_done_callback([&] { log("cbB"); });
          soon(log, "q");
          future.set_result();
          ticks();
          log("main");
        }) == "q cbA w cbB main");
}

TEST_CASE("tasks that yield take turns", "[row-6]") {
  CHECK(row([](Log& log) {
          const auto player = [&](const char* name) {
            return [&log, name] {
              for (int i = 0; i < 3; ++i) {
                log(name + std::to_string(i));
                ticks();
              }
            };
          };
          jumpcut::gather(player("A"), player("B"));
        }) == "A0 B0 A1 B1 A2 B2");
}

TEST_CASE("timers with the same deadline run in the order in which they were set", "[row-7]") {
  for (const int count : {2, 3, 6}) {
    CHECK(row([&](Log& log) {
            const auto when = get_running_loop().time() + 1ms;
            for (int i = 0; i < count; ++i) {
              get_running_loop().call_at(when, [&log, i] { log(std::to_string(i)); });
            }
            sleep(2ms);
          }) == std::string("0 1 2 3 4 5", static_cast<std::size_t>(2 * count - 1)));
  }
}

TEST_CASE("timers that are due at once wait for the next tick, the earliest first", "[row-8]") {
  CHECK(row([](Log& log) {
          get_running_loop().call_later(0s, [&] { log("L"); });
          soon(log, "S");
          get_running_loop().call_later(-1s, [&] { log("N"); });
          ticks();
          log("m1");
          ticks();
          log("m2");
        }) == "S m1 N L m2");
}

TEST_CASE("a handle that is cancelled before its turn is never called", "[row-9]") {
  CHECK(row([](Log& log) {
          jumpcut::Handle later;
          get_running_loop().call_soon([&] {
            log("first");
            later.cancel();
          });
          later = get_running_loop().call_soon([&] { log("victim"); });
          const auto timer = get_running_loop().call_later(1ms, [&] { log("timer"); });
          timer.cancel();
          sleep(2ms);
          CHECK(later.cancelled());
          CHECK(timer.cancelled());
        }) == "first");
}
