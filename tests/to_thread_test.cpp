// jumpcut/to_thread.hpp: blocking calls beside a loop that goes on.

#include <jumpcut/jumpcut.hpp>
#include <jumpcut/to_thread.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::await;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::sleep;
using jumpcut::to_thread;
using namespace std::chrono_literals;

namespace {

template <class Function>
auto run_virtually(Function&& function) {
  jumpcut::VirtualClock clock;
  jumpcut::RunOptions options;
  options.clock = &clock;
  return jumpcut::run(std::forward<Function>(function), options);
}

}  // namespace

TEST_CASE("to_thread waits for a call in another thread, and returns what it returned") {
  jumpcut::run([] {
    const auto here = std::this_thread::get_id();
    CHECK(to_thread([] { return 7; }) == 7);
    CHECK(to_thread([](int a, int b) { return a - b; }, 7, 2) == 5);
    CHECK(to_thread([&] { return std::this_thread::get_id() != here; }));
    to_thread([] {});
    CHECK(*to_thread([](std::unique_ptr<int> value) { return value; }, std::make_unique<int>(3)) ==
          3);
    CHECK_THROWS_WITH(to_thread([] { throw std::runtime_error("there"); }), "there");
  });
}

TEST_CASE("the loop goes on while to_thread waits") {
  jumpcut::run([] {
    std::atomic<int> ticks{0};
    auto ticker = create_task([&] {
      for (;;) {
        sleep(1ms);
        ++ticks;
      }
    });
    to_thread([&] {  // blocks until the ticker has gone on eight times
      while (ticks < 8) std::this_thread::yield();
    });
    CHECK(ticks >= 8);
    ticker.cancel();
    CHECK_THROWS_AS(await(ticker), Cancelled);
  });
}

TEST_CASE("to_thread's call sees a copy of the context variables") {
  static jumpcut::ContextVar<std::string> name("name", "nobody");
  jumpcut::run([] {
    name.set("task");
    CHECK(to_thread([] {
            const std::string seen = name.get();
            name.set("thread");
            return seen + " " + name.get();
          }) == "task thread");
    CHECK(name.get() == "task");
    CHECK(await(jumpcut::run_in_executor(nullptr, [] { return name.get(); })) == "nobody");
  });
}

TEST_CASE("a cancelled to_thread stops waiting, and its thread goes on") {
  std::atomic<bool> begun{false};
  std::atomic<bool> go{false};
  std::atomic<bool> ended{false};
  jumpcut::run([&] {
    auto task = create_task([&] {
      to_thread([&] {
        begun = true;
        while (!go) std::this_thread::yield();
        ended = true;
      });
    });
    while (!begun) sleep(0s);
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(!ended);
    go = true;
  });
  CHECK(ended);  // the loop's end waits for its threads
}

TEST_CASE("a virtual clock waits for a thread that works, before it goes on") {
  run_virtually([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    const auto begin = loop.time();
    auto sleeper = create_task([] { sleep(1h); });
    for (int i = 0; i < 20; ++i) {
      to_thread([] { std::this_thread::sleep_for(1ms); });
      CHECK(loop.time() == begin);
    }
    await(sleeper);
    CHECK(loop.time() - begin == 1h);
  });
}

TEST_CASE("a virtual clock does not wait for a thread whose call was cancelled") {
  std::atomic<bool> begun{false};
  std::atomic<bool> go{false};
  run_virtually([&] {
    auto caller = create_task([&] {
      to_thread([&] {
        begun = true;
        while (!go) std::this_thread::yield();
      });
    });
    while (!begun) sleep(0s);
    caller.cancel();
    CHECK_THROWS_AS(await(caller), Cancelled);
    sleep(1h);
    go = true;
  });
}

TEST_CASE("idle threads of a pool don't hide a deadlock") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  CHECK_THROWS_AS(run_virtually([] {
                    for (int i = 0; i < 20; ++i) to_thread([] {});
                    await(jumpcut::Future<>());
                  }),
                  jumpcut::Deadlock);
  // The real clock too, but where another thread of the test might post.
  const Ended ended = in_child([] {
    try {
      jumpcut::run([] {
        to_thread([] {});
        await(jumpcut::Future<>());
      });
    } catch (const jumpcut::Deadlock&) {
      return;
    }
    expect(false, "a deadlock is found");
  });
  CHECK(ended.exit_code == 0);
}

TEST_CASE("threads of the loop's pool that don't end in time are left behind with a message") {
  const Ended ended = in_child([] {
    std::atomic<bool> begun{false};
    jumpcut::RunOptions options;
    options.loop.executor_shutdown_timeout = 1ms;
    jumpcut::run(
        [&] {
          auto call = jumpcut::run_in_executor(nullptr, [&] {
            begun = true;
            for (;;) std::this_thread::sleep_for(1h);
          });
          while (!begun) sleep(0s);
        },
        options);
    std::fflush(stdout);
    _exit(0);
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  CHECK(ended.output.find("left to themselves") != std::string::npos);
}

TEST_CASE("to_thread outside a task makes no call") {
  bool called = false;
  CHECK_THROWS_AS(to_thread([&] { called = true; }), jumpcut::RuntimeError);
  CHECK(!called);
}

TEST_CASE("C-40 (b): a timeout around to_thread leaves the thread to finish") {
  std::string order;
  std::atomic<bool> begun{false};
  std::atomic<bool> go{false};
  jumpcut::run([&] {
    auto caller = create_task([&] {
      try {
        to_thread([&] {
          begun = true;
          while (!go) std::this_thread::yield();
          order += "thread finishes";
        });
      } catch (const Cancelled&) {
        order += "TO ";
        go = true;
      }
    });
    while (!begun) sleep(0s);
    caller.cancel();
    await(caller);
  });
  CHECK(order == "TO thread finishes");
}
