// Errors, contexts and the life of a loop as asyncio has them: rows 35 to 40.

#include <array>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include <unistd.h>

#include <catch2/catch.hpp>

#include "rows.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::Future;
using jumpcut::get_running_loop, jumpcut::Loop, jumpcut::sleep;

namespace {

/// Errors that nobody takes go into the log.
void log_errors(Log& log, Loop& loop) {
  loop.set_exception_handler([&log](const jumpcut::ErrorContext& context) {
    try {
      std::rethrow_exception(context.exception);
    } catch (const std::exception& error) {
      log(std::string("handler-") + error.what());
    }
  });
}

jumpcut::ContextVar<std::string> variable("variable", "none");

}  // namespace

TEST_CASE("an error of a callback is reported at once, a task's one tick after it ended",
          "[row-35]") {
  for (const bool dropped : {false, true}) {
    CHECK(row([&](Log& log) {
            log_errors(log, get_running_loop());
            get_running_loop().call_soon([] { throw Boom("VE"); });
            soon(log, "next");
            ticks();
            auto task = create_task([] { throw Boom("KE"); });
            ticks();
            log("ended");
            if (dropped) task = {};
            ticks();
            log("reported");
          }) == "handler-VE next ended handler-KE reported");
  }
}

TEST_CASE("tasks and callbacks see the variables of when they were asked for", "[row-36]") {
  CHECK(row([](Log& log) {
          variable.set("main");
          const auto task = create_task([&] {
            log("t-" + variable.get());
            variable.set("own");
            ticks();
            log("t-" + variable.get());
          });
          variable.set("main2");
          get_running_loop().call_soon([&] { log("cb-" + variable.get()); });
          Future<> future;
          future.add_done_callback([&] { log("done-" + variable.get()); });
          variable.set("main3");
          future.set_result();
          await(task);
          log(variable.get());
        }) == "t-main cb-main2 done-main2 t-own main3");
}

TEST_CASE("an eager task begins inside create_task, in its own context", "[row-37]") {
  CHECK(row([](Log& log) {
          const jumpcut::TaskOptions eager{.eager_start = true};
          variable.set("main");
          const auto ends = create_task(
              [&] {
                log("a");
                return 1;
              },
              eager);
          log(ends.done() ? "done" : "pending");
          const auto parks = create_task(
              [&] {
                variable.set("own");
                log("b");
                ticks();
                log("b-" + variable.get());
              },
              eager);
          log(variable.get());
          await(parks);
          const auto fails = create_task([] { throw Boom("VE"); }, eager);
          log(fails.done() ? "done" : "pending");
          log.outcome("await", [&] { await(fails); });
        }) == "a done b main b-own done await-VE");
}

TEST_CASE("descriptors come after what was ready, and before timers", "[row-38]") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  REQUIRE(write(ends[1], "x", 1) == 1);
  CHECK(row([&](Log& log) {
          Loop& loop = get_running_loop();
          int times = 0;
          loop.add_reader(ends[0], [&] {
            log("io");
            if (++times == 2) loop.remove_reader(ends[0]);
          });
          loop.call_later(0s, [&] { log("timer"); });
          soon(log, "soon");
          ticks();
          log("main");
          ticks(3);
          CHECK(times == 2);
        }) == "soon main io timer io");
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("what needs no waiting takes no turn", "[row-38]") {
  CHECK(row([](Log& log) {
          jumpcut::Lock lock;
          jumpcut::Event event;
          jumpcut::Queue<int> queue;
          event.set();
          queue.put_nowait(1);
          soon(log, "o");
          lock.lock();
          event.wait();
          queue.get();
          jumpcut::task_group([](jumpcut::TaskGroup&) {});
          jumpcut::wait_for([] {}, 1s);
          log("main");
          ticks();
        }) == "main o");
}

TEST_CASE("a loop that is stopped ends its batch, and keeps what comes after", "[row-39]") {
  Log log;
  Loop loop;
  loop.call_soon([&] {
    log("a");
    loop.stop();
    loop.call_soon([&] { log("x"); });
  });
  loop.call_soon([&] { log("b"); });
  loop.run_forever();
  log("returned");
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
  CHECK(log.text() == "a b returned x");
}

TEST_CASE("run cancels the tasks that are left, lets them clean up, and reports what they throw",
          "[row-39]") {
  Log log;
  const int value = on_loop([&] {
    log_errors(log, get_running_loop());
    create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        log("cancelled");
        ticks();
        log("cleaned-up");
        throw;
      }
    }).detach();
    create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        throw Boom("VE");
      }
    }).detach();
    ticks();
    log("main");
    return 7;
  });
  CHECK(value == 7);
  CHECK(log.text() == "main cancelled cleaned-up handler-VE");
}

TEST_CASE("run ends tasks, then generators, then the executor's jobs, and returns main's value",
          "[row-39]") {
  Log log;
  std::optional<jumpcut::Generator<int>> live;
  std::promise<void> generator_ended;
  const int value = on_loop([&] {
    create_task([&] { log.outcome("background", [] { sleep(1h); }); }).detach();
    live.emplace([&](jumpcut::Yield<int>& yield) {
      struct Finally {
        Log& log;
        std::promise<void>& ended;
        ~Finally() {
          log("finally");
          ended.set_value();
        }
      } const finally{log, generator_ended};
      for (int i = 0;; ++i) yield(i);
    });
    live->next();
    jumpcut::run_in_executor(nullptr, [&] {
      generator_ended.get_future().wait();
      log("job");
    });
    ticks();
    log("main");
    return 7;
  });
  CHECK(value == 7);
  CHECK(log.text() == "main background-cancelled finally job");
}

TEST_CASE("a deadline round to_thread passes; the thread goes on to its end", "[row-40]") {
  Log log;
  std::promise<void> told;
  jumpcut::run([&] {
    Loop& loop = get_running_loop();
    jumpcut::Event begun;
    const auto call = create_task([&] {
      jumpcut::to_thread([&] {
        loop.call_soon_threadsafe([&] { begun.set(); });
        told.get_future().wait();
        log("thread");
      });
    });
    begun.wait();
    log.outcome("call", [&] { jumpcut::timeout(1ms, [&] { await(call); }); });
    CHECK(call.cancelled());
    told.set_value();
  });
  CHECK(log.text() == "call-timeout thread");
}

TEST_CASE("a task that is asked for from elsewhere can be cancelled there", "[row-40]") {
  on_loop([] {
    Loop& loop = get_running_loop();
    Future<> parked;
    std::optional<jumpcut::ThreadFuture<int>> asked;
    std::thread([&] {
      asked = jumpcut::run_coroutine_threadsafe(
          [&] {
            parked.set_result();
            sleep(1h);
            return 1;
          },
          loop);
    }).join();
    await(parked);
    CHECK(asked->cancel());
    ticks(4);
    CHECK(asked->cancelled());
    CHECK(jumpcut::all_tasks().size() == 1);
  });
}

TEST_CASE("posts keep their order; a task that is asked for from elsewhere has its result",
          "[row-40]") {
  CHECK(row([](Log& log) {
          Loop& loop = get_running_loop();
          loop.call_soon_threadsafe([&] { log("p1"); });
          loop.call_soon_threadsafe([&] { log("p2"); });
          const auto result = jumpcut::run_coroutine_threadsafe([] { return 42; }, loop);
          ticks(4);
          log(std::to_string(result.get()));
        }) == "p1 p2 42");
}

TEST_CASE("a generator that is left early ends where it is dropped", "[row-40]") {
  CHECK(row([](Log& log) {
          {
            jumpcut::Generator<int> numbers([&](jumpcut::Yield<int>& yield) {
              struct Finally {
                Log& log;
                ~Finally() { log("finally"); }
              } const finally{log};
              for (int i = 0;; ++i) {
                ticks();
                yield(i);
              }
            });
            for (const int number : numbers) {
              log(std::to_string(number));
              if (number == 1) break;
            }
          }
          log("after");
        }) == "0 1 finally after");
}

TEST_CASE("a task can't await itself or another loop's future, nor a future end twice",
          "[row-40]") {
  const Future<> foreign = on_loop([] { return Future<>(); });
  row([&](Log&) {
    jumpcut::Task<> self;
    self = create_task([&] { CHECK_THROWS_AS(await(self), jumpcut::RuntimeError); });
    await(self);
    CHECK_THROWS_AS(await(foreign), jumpcut::RuntimeError);
    Future<int> future;
    future.set_result(1);
    CHECK_THROWS_AS(future.set_result(2), jumpcut::InvalidStateError);
  });
}
