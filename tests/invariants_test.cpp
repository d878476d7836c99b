// The machine that everything stands on, rule by rule: asyncio's, and what fibers add.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <catch2/catch.hpp>

#include "log.hpp"

using namespace std::chrono_literals;
using jumpcut::await, jumpcut::create_task, jumpcut::sleep, jumpcut::Future, jumpcut::Loop;
using jumpcut::get_running_loop, jumpcut::VirtualClock;

namespace {

/// Runs body() on a virtual clock.
template <class Body>
void run_virtual(Body&& body) {
  VirtualClock clock;
  jumpcut::run(std::forward<Body>(body), {.clock = &clock});
}

/// A pipe with a byte in it.
class FullPipe {
 public:
  FullPipe() {
    REQUIRE(pipe(ends_.data()) == 0);
    REQUIRE(write(ends_[1], "x", 1) == 1);
  }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  ~FullPipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int reader() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_{};
};

std::uint64_t ticks() {
  return get_running_loop().stats().ticks;
}

}  // namespace

TEST_CASE("callbacks and task steps share one queue, first in, first out", "[I1]") {
  run_virtual([] {
    Log log;
    Loop& loop = get_running_loop();
    loop.call_soon([&] { log("a"); });
    auto task = create_task([&] {
      log("task");
      sleep(0s);
      log("again");
    });
    loop.call_soon([&] { log("b"); });
    sleep(0s);
    loop.call_soon([&] { log("c"); });
    sleep(0s);
    CHECK(log.text() == "a task b again c");
  });
}

TEST_CASE("a tick runs exactly what was ready when it began", "[I2]") {
  run_virtual([] {
    Log log;
    Loop& loop = get_running_loop();
    loop.call_soon([&] {
      log("a");
      loop.call_soon([&] { log("a2"); });
    });
    loop.call_soon([&] { log("b"); });
    const std::uint64_t before = ticks();
    sleep(0s);
    log("m1");
    CHECK(ticks() == before + 1);
    sleep(0s);
    log("m2");
    CHECK(ticks() == before + 2);
    CHECK(log.text() == "a b m1 a2 m2");
  });
}

TEST_CASE("a stopping loop, or one with something ready, looks at descriptors but does not wait",
          "[I2]") {
  FullPipe pipe;
  Loop loop;
  Log log;
  loop.add_reader(pipe.reader(), [&] { log("read"); });
  loop.call_later(1h, [&] { log("late"); });
  loop.stop();
  loop.run_forever();
  CHECK(log.text() == "read");
  CHECK(loop.stats().polls == 1);
  loop.remove_reader(pipe.reader());
  loop.stop();
  loop.run_forever();
  CHECK(log.text() == "read");
}

TEST_CASE("a timer that is due has its turn among tasks that are always ready", "[I2]") {
  VirtualClock clock;
  jumpcut::run(
      [&] {
        bool was_called = false;
        get_running_loop().call_later(3ms, [&] { was_called = true; });
        for (int i = 0; i < 4; ++i) {
          CHECK(!was_called);
          clock.advance(1ms);
          sleep(0s);
        }
        CHECK(was_called);
      },
      {.clock = &clock});
}

TEST_CASE("timers that are always due don't keep descriptors waiting", "[I2]") {
  FullPipe pipe;
  run_virtual([&] {
    Loop& loop = get_running_loop();
    Future<> over;
    int timers = 0;
    std::function<void()> again = [&] {
      if (++timers < 10) {
        loop.call_later(0s, again);
      } else {
        over.set_result();
      }
    };
    again();
    int reads = 0;
    loop.add_reader(pipe.reader(), [&] { ++reads; });
    await(over);
    loop.remove_reader(pipe.reader());
    CHECK(reads == 9);
  });
}

TEST_CASE("within a tick come what was ready, then descriptors, then timers", "[I3]") {
  FullPipe pipe;
  run_virtual([&] {
    Log log;
    Loop& loop = get_running_loop();
    loop.add_reader(pipe.reader(), [&] {
      log("io");
      loop.remove_reader(pipe.reader());
    });
    loop.call_later(0s, [&] { log("timer"); });
    loop.call_soon([&] { log("soon"); });
    sleep(0s);
    log("main");
    sleep(0s);
    CHECK(log.text() == "soon main io timer");
  });
}

TEST_CASE("what another thread has posted comes before descriptors and timers", "[I3]") {
  FullPipe pipe;
  run_virtual([&] {
    Log log;
    Loop& loop = get_running_loop();
    loop.add_reader(pipe.reader(), [&] {
      log("io");
      loop.remove_reader(pipe.reader());
    });
    loop.call_later(0s, [&] { log("timer"); });
    std::thread([&] { loop.call_soon_threadsafe([&] { log("posted"); }); }).join();
    sleep(0s);
    sleep(0s);
    CHECK(log.text() == "posted io timer");
  });
}

TEST_CASE("a timer is due when its time has come, and never in the tick that set it", "[I4]") {
  run_virtual([] {
    Log log;
    Loop& loop = get_running_loop();
    loop.call_later(0s, [&] { log("L"); });
    loop.call_soon([&] { log("S"); });
    loop.call_later(-1s, [&] { log("N"); });
    sleep(0s);
    log("m1");
    sleep(0s);
    log("m2");
    CHECK(log.text() == "S m1 N L m2");

    const auto start = loop.time();
    std::optional<jumpcut::TimePoint> ran;
    loop.call_later(1ns, [&] { ran = loop.time(); });
    sleep(0s);
    sleep(0s);
    CHECK(!ran.has_value());
    sleep(1ns);
    REQUIRE(ran.has_value());
    CHECK(*ran == start + 1ns);
  });
}

TEST_CASE("cancelled timers leave the heap, and are not counted", "[I5]") {
  run_virtual([] {
    Loop& loop = get_running_loop();
    std::vector<jumpcut::TimerHandle> handles;
    for (int i = 0; i < 1000; ++i) handles.push_back(loop.call_later(1h, [] { FAIL(); }));
    CHECK(loop.stats().timers == 1000);
    for (const auto& handle : handles) handle.cancel();
    CHECK(loop.stats().timers == 0);
    const auto start = loop.time();
    sleep(2h);
    CHECK(loop.time() == start + 2h);
  });
}

TEST_CASE("timers less than a millisecond apart fire each at its own time", "[I6]") {
  run_virtual([] {
    Loop& loop = get_running_loop();
    const auto start = loop.time();
    std::vector<std::chrono::nanoseconds> times;
    for (int us : {300, 100, 200}) {
      loop.call_later(std::chrono::microseconds(us), [&] { times.push_back(loop.time() - start); });
    }
    sleep(1ms);
    CHECK(times == std::vector<std::chrono::nanoseconds>{100us, 200us, 300us});
  });
}

TEST_CASE("create_task enqueues the first step and does not run it", "[I7]") {
  run_virtual([] {
    Log log;
    log("before");
    const std::size_t ready = get_running_loop().stats().ready;
    auto first = create_task([&] { log("t1"); });
    auto second = create_task([&] { log("t2"); });
    CHECK(get_running_loop().stats().ready == ready + 2);
    log("after");
    await(first);
    log("main");
    CHECK(log.text() == "before after t1 t2 main");
  });
}

TEST_CASE("awaiting what is done does not yield", "[I8]") {
  run_virtual([] {
    Log log;
    auto task = create_task([] { return 1; });
    Future<int> future;
    future.set_result(2);
    await(task);
    get_running_loop().call_soon([&] { log("soon"); });
    const std::uint64_t before = ticks();
    CHECK(await(task) == 1);
    CHECK(await(future) == 2);
    CHECK(ticks() == before);
    CHECK(log.text().empty());
    sleep(0s);
  });
}

TEST_CASE("a future that ends enqueues its callbacks in their order, an awaiting task among them",
          "[I9]") {
  run_virtual([] {
    Log log;
    Future<> future;
    future.add_done_callback([&] { log("cbA"); });
    auto waiter = create_task([&] {
      await(future);
      log("w");
    });
    sleep(0s);
    future.add_done_callback([&] { log("cbB"); });
    get_running_loop().call_soon([&] { log("q"); });
    future.set_result();
    log("set");
    sleep(0s);
    log("main");
    CHECK(log.text() == "set q cbA w cbB main");
  });
}

TEST_CASE("a callback that is added after the end is enqueued once, at once", "[I10]") {
  run_virtual([] {
    Log log;
    Future<> future;
    future.set_result();
    future.add_done_callback([&] { log("late"); });
    get_running_loop().call_soon([&] { log("after"); });
    CHECK(log.text().empty());
    sleep(0s);
    sleep(0s);
    CHECK(log.text() == "late after");
  });
}

namespace {

void nest(int depth) {
  if (depth > 0) await(create_task([=] { nest(depth - 1); }));
}

int call(int depth) {
  return depth == 0 ? 0 : 1 + call(depth - 1);
}

}  // namespace

TEST_CASE("each task boundary costs a tick down and a tick up; direct calls cost none", "[I11]") {
  run_virtual([] {
    std::uint64_t before = ticks();
    nest(5);
    CHECK(ticks() - before == 10);
    before = ticks();
    CHECK(call(5) == 5);
    CHECK(ticks() == before);
  });
}

TEST_CASE("sleep(0) is one turn and no timer, sleep(NaN) is refused, a sleep cut short sets none",
          "[I12]") {
  run_virtual([] {
    Loop& loop = get_running_loop();
    for (auto delay : {0s, -5s}) {
      const std::uint64_t before = ticks();
      sleep(delay);
      CHECK(ticks() == before + 1);
    }
    CHECK_THROWS_AS(sleep(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
                    jumpcut::ValueError);
    auto task = create_task([] { sleep(1h); });
    sleep(0s);
    CHECK(loop.stats().timers == 1);
    task.cancel();
    CHECK_THROWS_AS(await(task), jumpcut::Cancelled);
    CHECK(loop.stats().timers == 0);
    CHECK(loop.time() == jumpcut::TimePoint());
  });
}

TEST_CASE("a callback runs in the context of whoever asked for it", "[I13]") {
  static jumpcut::ContextVar<std::string> variable("variable", "none");
  run_virtual([] {
    Log log;
    Loop& loop = get_running_loop();
    Future<> future;
    variable.set("soon");
    loop.call_soon([&] {
      log(variable.get());
      variable.set("inside");
    });
    variable.set("later");
    loop.call_later(0s, [&] { log(variable.get()); });
    variable.set("done");
    future.add_done_callback([&] { log(variable.get()); });
    variable.set("posted");
    loop.call_soon_threadsafe([&] { log(variable.get()); });
    variable.set("main");
    future.set_result();
    sleep(0s);
    sleep(0s);
    CHECK(log.text() == "soon posted done later");
    CHECK(variable.get() == "main");
  });
}

TEST_CASE("what a callback throws goes to the exception handler, and the loop goes on", "[I14]") {
  run_virtual([] {
    Log log;
    Loop& loop = get_running_loop();
    loop.set_exception_handler([&](const jumpcut::ErrorContext& context) {
      try {
        std::rethrow_exception(context.exception);
      } catch (const std::exception& error) {
        log(error.what());
      } catch (...) {
        log("unknown");
      }
    });
    loop.call_soon([] { throw std::runtime_error("first"); });
    loop.call_soon([] { throw 1; });
    loop.call_soon([&] { log("next"); });
    sleep(0s);
    CHECK(log.text() == "first unknown next");
  });
}

TEST_CASE("other threads may only post: everything else is refused there", "[I15]") {
  jumpcut::run([] {
    Loop& loop = get_running_loop();
    Future<int> future;
    std::vector<std::string> refused;
    std::thread other([&] {
      const auto attempt = [&](auto&& function) {
        try {
          function();
        } catch (const jumpcut::RuntimeError& error) {
          refused.push_back(error.what());
        }
      };
      attempt([&] { loop.call_soon([] {}); });
      attempt([&] { loop.call_later(0s, [] {}); });
      attempt([&] { loop.create_task([] {}).detach(); });
      attempt([&] { loop.stop(); });
      attempt([&] { loop.close(); });
      attempt([&] { loop.run_forever(); });
      attempt([&] { future.set_result(1); });
      attempt([&] { future.cancel(); });
      attempt([&] { future.add_done_callback([] {}); });
      loop.call_soon_threadsafe([&] { future.set_result(2); });
    });
    CHECK(await(future) == 2);
    other.join();
    CHECK(refused.size() == 9);
    for (const std::string& text : refused) CHECK_THAT(text, Catch::Contains("thread"));
  });
}

TEST_CASE("callbacks run on the thread's own stack, and can't wait", "[I16]") {
  run_virtual([] {
    Loop& loop = get_running_loop();
    Log log;
    CHECK(jumpcut::current_task());
    CHECK(jumpcut::lowlevel::current_fiber() != nullptr);
    Future<> future;
    loop.call_soon([&] {
      CHECK(!jumpcut::current_task());
      CHECK(jumpcut::lowlevel::current_fiber() == nullptr);
      for (auto wait : {+[](Future<>& f) { await(f); }, +[](Future<>&) { sleep(0s); },
                        +[](Future<>&) { sleep(1s); }}) {
        try {
          wait(future);
        } catch (const jumpcut::RuntimeError& error) {
          log(error.what());
        }
      }
    });
    sleep(0s);
    CHECK_THAT(log.text(), Catch::Contains("await outside a task") &&
                               Catch::Contains("sleep outside a task") &&
                               Catch::Contains("wrap the caller in create_task"));
  });
}
