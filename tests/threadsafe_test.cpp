// jumpcut/threadsafe.hpp: tasks that other threads ask for and wait for.

#include <jumpcut/jumpcut.hpp>
#include <jumpcut/threadsafe.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::await;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::run_coroutine_threadsafe;
using jumpcut::sleep;
using namespace std::chrono_literals;

namespace {

/// A loop that runs in a thread of its own.
class LoopThread {
 public:
  LoopThread() {
    thread_ = std::thread([this] {
      jumpcut::Loop own;
      own.call_soon([this, &own] { loop_ = &own; });
      own.run_forever();
      loop_ = nullptr;
    });
    while (loop_ == nullptr) std::this_thread::yield();
  }
  ~LoopThread() {
    loop().call_soon_threadsafe([loop = &loop()] { loop->stop(); });
    thread_.join();
  }
  jumpcut::Loop& loop() { return *loop_; }

 private:
  std::atomic<jumpcut::Loop*> loop_{nullptr};
  std::thread thread_;
};

}  // namespace

TEST_CASE("run_coroutine_threadsafe runs a task in another thread's loop") {
  LoopThread other;
  const auto here = std::this_thread::get_id();
  CHECK(run_coroutine_threadsafe([] { return sleep(0s), 42; }, other.loop()).get() == 42);
  CHECK(run_coroutine_threadsafe([&] { return std::this_thread::get_id() != here; }, other.loop())
            .get());
  run_coroutine_threadsafe([] { sleep(0s); }, other.loop()).get();
  CHECK(*run_coroutine_threadsafe([] { return std::make_unique<int>(3); }, other.loop()).get() ==
        3);
  const auto failing =
      run_coroutine_threadsafe([] { throw std::out_of_range("far"); }, other.loop());
  CHECK_THROWS_AS(failing.get(), std::out_of_range);
  CHECK_THROWS_AS(run_coroutine_threadsafe(std::function<void()>(), other.loop()),
                  jumpcut::ValueError);
}

TEST_CASE("the task has a copy of the caller's context variables") {
  static jumpcut::ContextVar<int> number("number", 1);
  LoopThread other;
  const auto before = number.set(2);
  CHECK(run_coroutine_threadsafe(
            [] {
              const int seen = number.get();
              number.set(3);
              return seen;
            },
            other.loop())
            .get() == 2);
  CHECK(number.get() == 2);
  number.reset(before);
}

TEST_CASE("ThreadFuture.cancel reaches the task") {
  LoopThread other;
  std::atomic<int> state{0};
  const auto future = run_coroutine_threadsafe(
      [&] {
        state = 1;
        try {
          await(jumpcut::Future<>());
        } catch (const Cancelled&) {
          state = 2;
          throw;
        }
      },
      other.loop());
  while (state != 1) std::this_thread::yield();
  CHECK(!future.done());
  CHECK(!future.wait_for(1ms));
  CHECK(future.cancel());
  CHECK(future.cancelled());
  CHECK_THROWS_AS(future.get(), Cancelled);
  while (state != 2) std::this_thread::yield();
}

TEST_CASE("a future whose task is cancelled is cancelled") {
  LoopThread other;
  const auto future = run_coroutine_threadsafe(
      [] {
        jumpcut::current_task().cancel();
        sleep(0s);
      },
      other.loop());
  CHECK_THROWS_AS(future.get(), Cancelled);
  CHECK(future.cancelled());
}

TEST_CASE("waiting for the own loop in a task parks it, and outside of tasks it is refused") {
  jumpcut::run([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    CHECK(run_coroutine_threadsafe([] { return 1; }, loop).get() == 1);

    const auto future = run_coroutine_threadsafe([] { return 2; }, loop);
    auto told = loop.create_future<std::string>();
    loop.call_soon([&] {
      try {
        future.get();
      } catch (const jumpcut::RuntimeError& error) {
        told.set_result(error.what());
      }
    });
    const std::string text = await(told);
    CHECK(text.find("wait for it in a task") != std::string::npos);
    CHECK(future.get() == 2);
  });
  jumpcut::Loop idle;
  const auto future = run_coroutine_threadsafe([] { return 2; }, idle);
  CHECK_THROWS_AS(future.get(), jumpcut::RuntimeError);
  CHECK_THROWS_AS(future.wait_for(1h), jumpcut::RuntimeError);
  idle.run_until_complete([] { sleep(0s), sleep(0s); });
  CHECK(future.get() == 2);
}

TEST_CASE("a task of one loop can wait for a task of another") {
  LoopThread other;
  jumpcut::run([&] {
    bool went_on = false;
    auto side = create_task([&] { went_on = true; });
    CHECK(run_coroutine_threadsafe([] { return 9; }, other.loop()).get() == 9);
    await(side);
    CHECK(went_on);
  });
}

TEST_CASE("a loop waits for a timer in one go, also where a post has come or had woken it") {
  jumpcut::run([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    const auto check = [&] {
      const auto before = loop.stats();
      sleep(3ms);
      CHECK(loop.stats().polls - before.polls <= 1);
      CHECK(loop.stats().ticks - before.ticks <= 5);
    };
    check();
    std::thread([&] { loop.call_soon_threadsafe([] {}); }).join();
    check();
    const jumpcut::Future<> future;
    std::thread thread([&] {
      std::this_thread::sleep_for(1ms);  // so that it most probably sleeps
      loop.call_soon_threadsafe([&] { future.set_result(); });
    });
    await(future);
    thread.join();
    check();
  });
}

TEST_CASE("what is posted as a loop goes to sleep keeps it awake") {
  /// Stands still, and has a thread post while the loop finds that there is nothing else to do.
  struct Interfering final : jumpcut::Clock {
    jumpcut::TimePoint now() noexcept override { return jumpcut::TimePoint(1s); }
    bool jump_to(jumpcut::TimePoint) override {
      if (post != nullptr) std::thread(std::exchange(post, nullptr)).join();
      return false;
    }
    std::function<void()> post;
  } clock;
  jumpcut::run(
      [&] {
        jumpcut::Loop& loop = jumpcut::get_running_loop();
        const auto timer = loop.call_later(1h, [] {});
        const jumpcut::Future<int> future;
        clock.post = [&] { loop.call_soon_threadsafe([&] { future.set_result(7); }); };
        CHECK(await(future) == 7);
        timer.cancel();
      },
      {.clock = &clock});
}

TEST_CASE("when the loop closes first, the future fails, and nobody hangs") {
  std::optional<jumpcut::Loop> loop(std::in_place);
  const auto unborn = run_coroutine_threadsafe([] { return 1; }, *loop);
  loop->close();
  CHECK_THROWS_AS(unborn.get(), jumpcut::LoopClosed);
  CHECK_THROWS_AS(run_coroutine_threadsafe([] { return 1; }, *loop), jumpcut::LoopClosed);
  std::thread([&] {
    CHECK_THROWS_AS(run_coroutine_threadsafe([] { return 1; }, *loop), jumpcut::LoopClosed);
  }).join();
}

TEST_CASE("a task that is cancelled by the loop's end cancels its future") {
  std::optional<jumpcut::Loop> loop(std::in_place);
  const auto future = run_coroutine_threadsafe([] { await(jumpcut::Future<>()); }, *loop);
  loop->run_until_complete([] { sleep(0s), sleep(0s); });
  loop->close();
  CHECK_THROWS_AS(future.get(), Cancelled);
}

TEST_CASE("a task that refuses to end with its loop doesn't leave a thread waiting") {
  const Ended ended = in_child([] {
    jumpcut::LoopOptions options;
    options.shutdown_timeout = 0s;
    std::optional<jumpcut::Loop> loop(std::in_place, options);
    const auto future = run_coroutine_threadsafe(
        [] {
          for (;;) {
            try {
              await(jumpcut::Future<>());
            } catch (const Cancelled&) {
            }
          }
        },
        *loop);
    loop->run_until_complete([] { sleep(0s), sleep(0s); });
    loop->close();
    try {
      future.get();
    } catch (const jumpcut::LoopClosed&) {
      std::fflush(stdout);
      _exit(0);
    }
    expect(false, "get throws");
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("C-40 (a): two posts, a task's value, and a cancelled task, all from a thread") {
  std::string order;
  jumpcut::run([&] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    jumpcut::to_thread([&] {
      loop.call_soon_threadsafe([&] { order += "p1 "; });
      loop.call_soon_threadsafe([&] { order += "p2 "; });
      const int value = run_coroutine_threadsafe([] { return sleep(0s), 42; }, loop).get();
      order += std::to_string(value) + " ";
      const auto future = run_coroutine_threadsafe([] { sleep(1h); }, loop);
      order += future.cancel() ? "True" : "False";
    });
    for (int i = 0; i < 5; ++i) sleep(0s);
    CHECK(jumpcut::all_tasks().size() == 1);
  });
  CHECK(order == "p1 p2 42 True");
}
