// jumpcut/loop_pool.hpp: calls are placed on loops, stay there, and are waited for.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sched.h>

#include <catch2/catch.hpp>

#include "child.hpp"

using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::LoopPool, jumpcut::run;
using jumpcut::LoopPoolOptions, jumpcut::Placement, jumpcut::sleep, jumpcut::ThreadFuture;
using namespace std::chrono_literals;

namespace {

LoopPoolOptions loops(std::size_t count, Placement placement = Placement::least_loaded) {
  LoopPoolOptions options;
  options.loops = count;
  options.placement = placement;
  return options;
}

/// Calls that go on until open(), and return the number of their loop.
class Gate {
 public:
  /// Returns once the call has begun.
  ThreadFuture<std::size_t> enter(LoopPool& pool) {
    const std::size_t before = entered_;
    auto future = pool.submit([&pool, this] {
      jumpcut::await_callback<>([this](jumpcut::Done<> done) {
        waiting_.push_back(std::move(done));
        ++entered_;
      });
      return *pool.current();
    });
    while (entered_ == before) std::this_thread::yield();
    return future;
  }
  void open() {
    for (const auto& done : waiting_) done();
    waiting_.clear();
  }

 private:
  std::vector<jumpcut::Done<>> waiting_;
  std::atomic<std::size_t> entered_{0};
};

}  // namespace

TEST_CASE("a pool's loop makes a call, and its outcome comes back") {
  LoopPool pool(loops(2));
  CHECK(pool.size() == 2);
  CHECK(!pool.current().has_value());
  const auto here = std::this_thread::get_id();
  CHECK(pool.submit([] { return sleep(0s), 42; }).get() == 42);
  CHECK(pool.submit([&] { return std::this_thread::get_id() != here; }).get());
  pool.submit([] { sleep(1ms); }).get();
  CHECK(*pool.submit([] { return std::make_unique<int>(3); }).get() == 3);
  CHECK_THROWS_AS(pool.submit([] { throw std::out_of_range("far"); }).get(), std::out_of_range);
  CHECK_THROWS_AS(pool.submit(std::function<void()>()), jumpcut::ValueError);
  for (const std::size_t loop : {std::size_t{0}, std::size_t{1}}) {
    CHECK(pool.submit_to(loop, [&] { return pool.current(); }).get() == loop);
  }
  CHECK_THROWS_WITH(pool.submit_to(2, [] {}), "submit_to: there is no loop 2 in a LoopPool of 2");
}

TEST_CASE("a task waits for a pool's calls, alone or among others") {
  LoopPool pool(loops(2));
  run([&] {
    CHECK(await(pool.submit([] { return 1; })) == 1);
    const auto both = jumpcut::gather(jumpcut::wrap_future(pool.submit([] { return 2; })),
                                      create_task([] { return 3; }));
    CHECK(both == std::tuple(2, 3));
    const auto shared = pool.submit([] { return std::string(100, 'x'); });
    const auto first = jumpcut::wrap_future(shared);
    const auto second = jumpcut::wrap_future(shared);
    CHECK(await(first) == await(second));
    CHECK(shared.get().size() == 100);

    std::atomic<bool> cancelled{false};
    const auto endless = pool.submit([&] {
      try {
        await(Future<>());
      } catch (const jumpcut::Cancelled&) {
        cancelled = true;
        throw;
      }
    });
    const auto wrapped = jumpcut::wrap_future(endless);
    while (pool.stats()[0].live + pool.stats()[1].live == 0) sleep(0s);
    wrapped.cancel();
    CHECK_THROWS_AS(await(wrapped), jumpcut::Cancelled);
    CHECK(endless.cancelled());
    CHECK(pool.stop(std::nullopt));
  });
  CHECK_THROWS_AS(jumpcut::wrap_future(ThreadFuture<int>()), jumpcut::RuntimeError);
}

TEST_CASE("round robin gives each loop a call in its turn") {
  LoopPool pool(loops(3, Placement::round_robin));
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(pool.submit([&] { return *pool.current(); }).get() == i % 3);
  }
  for (const auto& stats : pool.stats()) CHECK(stats.placed == 3);
}

TEST_CASE("a call goes to the loop with the fewest that have not ended") {
  LoopPool pool(loops(3));
  Gate gate;
  std::vector<ThreadFuture<std::size_t>> inside;
  for (int i = 0; i < 6; ++i) inside.push_back(gate.enter(pool));
  for (const auto& stats : pool.stats()) CHECK(stats.live == 2);
  Gate first;
  const auto third = first.enter(pool);
  for (int i = 0; i < 2; ++i) inside.push_back(gate.enter(pool));
  for (const auto& stats : pool.stats()) CHECK(stats.live == 3);
  first.open();
  const std::size_t emptier = third.get();
  while (pool.stats()[emptier].live != 2) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) {
    CHECK(pool.submit([&] { return *pool.current(); }).get() == emptier);
    while (pool.stats()[emptier].live != 2) std::this_thread::yield();
  }
  gate.open();
  std::array<int, 3> count{};
  for (const auto& future : inside) ++count.at(future.get());
  CHECK(*std::min_element(count.begin(), count.end()) >= 2);
}

TEST_CASE("what a call creates stays on its loop") {
  LoopPool pool(loops(2));
  std::vector<ThreadFuture<bool>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(pool.submit([&pool] {
      const auto loop = pool.current();
      const auto thread = std::this_thread::get_id();
      bool stays = true;
      jumpcut::task_group([&](jumpcut::TaskGroup& group) {
        for (int child = 0; child < 10; ++child) {
          group.create_task([&] {
            sleep(1ms);
            stays = stays && pool.current() == loop && std::this_thread::get_id() == thread;
          });
        }
      });
      return stays;
    }));
  }
  for (const auto& future : all) CHECK(future.get());
}

TEST_CASE("two loops of a pool call each other") {
  LoopPool pool(loops(2));
  const std::function<int(int)> play = [&](int depth) {
    if (depth == 0) return 0;
    jumpcut::Loop& other = pool.loop(1 - *pool.current());
    return 1 +
           jumpcut::run_coroutine_threadsafe([&, depth] { return play(depth - 1); }, other).get();
  };
  CHECK(pool.submit([&] { return play(300); }).get() == 300);
  CHECK(pool.submit([&] { return pool.submit([] { return 7; }).get(); }).get() == 7);
}

TEST_CASE("each of ten thousand calls from several threads is made once") {
  constexpr int threads = 4;
  constexpr int each = 2500;
  LoopPool pool(loops(2));
  std::vector<int> made(std::size_t{threads} * each, 0);
  std::vector<std::thread> callers;
  for (int thread = 0; thread < threads; ++thread) {
    callers.emplace_back([&, thread] {
      std::vector<ThreadFuture<>> futures;
      for (int i = 0; i < each; ++i) {
        futures.push_back(
            pool.submit([&place = made[static_cast<std::size_t>(thread * each + i)]] { ++place; }));
      }
      for (const auto& future : futures) future.get();
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(std::count(made.begin(), made.end(), 1) == threads * each);
  CHECK(pool.stop(std::nullopt));
  std::uint64_t placed = 0;
  for (const auto& stats : pool.stats()) {
    placed += stats.placed;
    CHECK(stats.live == 0);
    CHECK(!stats.is_running);
  }
  CHECK(placed == threads * each);
}

TEST_CASE("loops are pinned to processors if that is asked for, and have names") {
  cpu_set_t usable;
  REQUIRE(sched_getaffinity(0, sizeof usable, &usable) == 0);
  LoopPoolOptions options = loops(2);
  options.pin = true;
  options.name = "cook";
  LoopPool pool(options);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto [set, name] =
        pool.submit_to(i,
                       [] {
                         cpu_set_t mine;
                         sched_getaffinity(0, sizeof mine, &mine);
                         std::array<char, 16> text{};
                         pthread_getname_np(pthread_self(), text.data(), text.size());
                         return std::pair(mine, std::string(text.data()));
                       })
            .get();
    CHECK(CPU_COUNT(&set) == 1);
    cpu_set_t both;
    CPU_AND(&both, &set, &usable);
    CHECK(CPU_COUNT(&both) == 1);
    CHECK(name == "cook-" + std::to_string(i));
  }
  options.processors = {CPU_SETSIZE};
  CHECK_THROWS_AS(LoopPool(options), jumpcut::ValueError);
  options.processors = {CPU_SETSIZE - 1};
  CHECK_THROWS_WITH(LoopPool(options), Contains("to processor 1023"));
}

TEST_CASE("stop waits for calls that were placed, and takes no more") {
  LoopPool pool(loops(2));
  Gate gate;
  const auto first = gate.enter(pool);
  const auto second = gate.enter(pool);
  std::atomic<bool> stopped{false};
  std::thread stopper([&] { stopped = pool.stop(std::nullopt); });
  while (!pool.is_stopping()) std::this_thread::yield();
  CHECK_THROWS_WITH(pool.submit([] {}), "submit: the LoopPool is to stop, and takes no calls");
  CHECK(!stopped);
  gate.open();
  stopper.join();
  CHECK(stopped);
  CHECK(first.get() + second.get() == 1);
  CHECK(pool.stop(0s));
  CHECK_THROWS_AS(pool.loop(0), jumpcut::RuntimeError);
}

TEST_CASE("stop cancels what is left after the grace, and waits for its clean-up") {
  std::atomic<int> cleaned{0};
  const auto call = [&] {
    try {
      await(Future<>());
    } catch (const jumpcut::Cancelled&) {
      sleep(1ms);
      ++cleaned;
      throw;
    }
  };
  SECTION("of stop()") {
    LoopPool pool(loops(2));
    const auto first = pool.submit(call);
    const auto second = pool.submit([&] { create_task(call).detach(), sleep(0s), sleep(0s); });
    CHECK(!pool.stop(5ms));
    CHECK_THROWS_AS(first.get(), jumpcut::Cancelled);
    second.get();
    CHECK(cleaned == 2);
  }
  SECTION("of the destructor, which has none") {
    ThreadFuture<> future;
    {
      LoopPool pool(loops(2));
      std::atomic<bool> began{false};
      future = pool.submit([&] { began = true, call(); });
      while (!began) std::this_thread::yield();
    }
    CHECK_THROWS_AS(future.get(), jumpcut::Cancelled);
    CHECK(cleaned == 1);
  }
  SECTION("of a second stop(), which has less") {
    LoopPool pool(loops(2));
    const auto future = pool.submit(call);
    pool.request_stop(1h);
    CHECK(!future.wait_for(1ms));
    CHECK(!pool.stop(0s));
    CHECK_THROWS_AS(future.get(), jumpcut::Cancelled);
  }
}

TEST_CASE("a task that stops a pool leaves its own loop running") {
  LoopPool pool(loops(2));
  run([&] {
    Gate gate;
    const auto inside = gate.enter(pool);
    auto stopping = create_task([&] { return pool.stop(std::nullopt); });
    sleep(1ms);
    CHECK(!stopping.done());
    gate.open();
    CHECK(await(stopping));
    inside.get();

    LoopPool other(loops(1));
    const auto endless = other.submit([] { await(Future<>()); });
    auto cancelled = create_task([&] { return other.stop(std::nullopt); });
    sleep(0s);
    cancelled.cancel();
    CHECK_THROWS_AS(await(cancelled), jumpcut::Cancelled);
    CHECK(!other.stop(0s));
    CHECK(endless.cancelled());
  });
}

TEST_CASE("a task of the pool can ask for its end, but not wait for it") {
  LoopPool pool(loops(2));
  const auto refused = pool.submit([&] {
    try {
      pool.stop(1s);
    } catch (const jumpcut::RuntimeError& error) {
      return std::string(error.what());
    }
    return std::string();
  });
  CHECK_THAT(refused.get(), Contains("can't wait for its own end"));
  CHECK(!pool.is_stopping());
  std::atomic<bool> went_on{false};
  const auto asked = pool.submit([&] {
    pool.request_stop(std::nullopt);
    sleep(1ms);
    went_on = true;
  });
  asked.get();
  CHECK(pool.stop(std::nullopt));
  CHECK(went_on);
}

TEST_CASE("a loop that ends before its pool is reported, and the others go on") {
  std::mutex mutex;
  std::string reports;
  LoopPoolOptions options = loops(2);
  options.exception_handler = [&](const jumpcut::ErrorContext& context) {
    const std::lock_guard lock(mutex);
    reports += context.describe() + "\n";
  };
  LoopPool pool(options);
  const auto last = pool.submit_to(0, [] {
    jumpcut::get_running_loop().stop();
    await(Future<>());
  });
  CHECK_THROWS_AS(last.get(), jumpcut::Cancelled);
  for (int i = 0; i < 4; ++i) CHECK(pool.submit([&] { return *pool.current(); }).get() == 1);
  CHECK_THROWS_WITH(pool.submit_to(0, [] {}), "submit_to: loop 0 of the LoopPool has ended");
  CHECK_THROWS_AS(pool.loop(0), jumpcut::RuntimeError);
  CHECK(!pool.stats()[0].is_running);
  pool.submit_to(1, [] { jumpcut::get_running_loop().call_soon([] { throw 1; }); }).get();
  CHECK(!pool.stop(std::nullopt));
  CHECK_THAT(reports, Contains("loop 0 of a LoopPool has ended: ") &&
                          Contains("the loop was stopped before") &&
                          Contains("Exception in call_soon"));
}

TEST_CASE("a forked process has none of a pool's loops: it is told so, and doesn't hang") {
  if (EMULATED) return;
  LoopPool pool(loops(2));
  Gate gate;
  const auto inside = gate.enter(pool);
  const Ended ended = in_child([&] {
    try {
      pool.submit([] {});
      expect(false, "submit throws");
    } catch (const jumpcut::RuntimeError& error) {
      expect(std::string(error.what()).find("make a new one") != std::string::npos, "it says why");
    }
    expect(pool.stop(std::nullopt), "nothing to wait for");
    pool.~LoopPool();
    if (sanitized) _exit(0);  // ThreadSanitizer takes a new thread for the old one
    expect(LoopPool(loops(1)).submit([] { return 3; }).get() == 3, "a new pool works");
    _exit(0);
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  gate.open();
  inside.get();
}

TEST_CASE("a pool refuses what it can't have") {
  CHECK_THROWS_AS(LoopPool(loops(10'001)), jumpcut::ValueError);
  jumpcut::VirtualClock clock;
  LoopPoolOptions options = loops(1);
  options.loop.clock = &clock;
  CHECK_THROWS_AS(LoopPool(options), jumpcut::ValueError);
  CHECK(LoopPool().size() >= 1);
}

TEST_CASE("loops that keep a time of their own jump, and are not stuck without work") {
  REQUIRE(setenv("JUMPCUT_CLOCK", "virtual", 1) == 0);
  {
    LoopPool pool(loops(2));
    const auto slept = [] { sleep(1h); };
    pool.submit(slept).get();
    run([&] {
      await(pool.submit(slept));
      await(jumpcut::wrap_future(pool.submit(slept)));
    });
    CHECK(pool.stop(1s));
  }
  unsetenv("JUMPCUT_CLOCK");
}

TEST_CASE("a pool whose last owner is one of its tasks ends by itself") {
  auto pool = std::make_unique<LoopPool>(loops(2));
  std::atomic<bool> ended{false};
  LoopPool& there = *pool;
  const auto future = there.submit([&ended, mine = std::move(pool)]() mutable {
    mine.reset();
    try {
      await(Future<>());
    } catch (const jumpcut::Cancelled&) {
      ended = true;
      throw;
    }
  });
  CHECK_THROWS_AS(future.get(), jumpcut::Cancelled);
  CHECK(ended);
}
