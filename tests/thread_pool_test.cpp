// jumpcut/thread_pool.hpp and jumpcut/executor.hpp: which thread runs what, when threads are
// started and when they end.

#include <jumpcut/jumpcut.hpp>
#include <jumpcut/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::await;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::run_in_executor;
using jumpcut::ThreadFuture;
using jumpcut::ThreadPool;
using namespace std::chrono_literals;

namespace {

/// Holds up a thread of a pool until it is opened.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    if (!opened_.exchange(true)) promise_.set_value();
  }
  auto job() {
    return [this, future = std::shared_future<void>(future_)] {
      ++arrived;
      future.wait();
    };
  }
  void wait_for(int jobs) const {
    while (arrived < jobs) std::this_thread::yield();
  }

  std::atomic<int> arrived{0};

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_{promise_.get_future()};
  std::atomic<bool> opened_{false};
};

std::atomic<int> destroyed{0};
std::atomic<jumpcut::Loop*> place{nullptr};

/// Each thread's own; its destructor still has something to say.
struct Local {
  int used = 0;
  ~Local() {
    if (used == 0) return;
    ++destroyed;
    place.load()->call_soon_threadsafe([] {});
  }
};
thread_local Local local;

}  // namespace

TEST_CASE("ThreadPool.submit runs a job in another thread, and get returns what it returned") {
  ThreadPool pool;
  const auto here = std::this_thread::get_id();
  CHECK(pool.submit([] { return 7; }).get() == 7);
  CHECK(pool.submit([&] { return std::this_thread::get_id() != here; }).get());
  pool.submit([] {}).get();
  CHECK(*pool.submit([] { return std::make_unique<int>(8); }).get() == 8);
}

TEST_CASE("what a job throws comes out of get as it is") {
  ThreadPool pool;
  const auto future = pool.submit([]() -> int { throw std::out_of_range("beyond"); });
  CHECK_THROWS_AS(future.get(), std::out_of_range);
  CHECK_THROWS_WITH(future.get(), "beyond");
  CHECK(future.done());
  CHECK(!future.cancelled());
}

TEST_CASE("ThreadPool starts a thread when a job comes and none is idle, up to max_workers") {
  ThreadPool pool({.max_workers = 3, .name = "crew"});
  CHECK(pool.max_workers() == 3);
  CHECK(pool.worker_count() == 0);
  for (int i = 0; i < 20; ++i) {
    pool.submit([] {}).get();
    // Give the thread the moment to become idle that it needs: the next job finds it so.
    pool.submit([] {}).get();
  }
  Gate gate;
  std::vector<ThreadFuture<>> held;
  for (int i = 0; i < 5; ++i) held.push_back(pool.submit(gate.job()));
  gate.wait_for(3);
  CHECK(pool.worker_count() == 3);
  CHECK(gate.arrived == 3);
  CHECK(!held[3].done());
  gate.open();
  for (auto& one : held) one.get();
  CHECK(gate.arrived == 5);
}

TEST_CASE("ThreadPool starts no thread for a job that an idle one can run") {
  ThreadPool pool({.max_workers = 30});
  for (int i = 0; i < 30; ++i) {
    pool.submit([] {}).get();
    std::this_thread::sleep_for(1ms);  // for the thread to be idle again, most often
  }
  CHECK(pool.worker_count() < 30);
}

TEST_CASE("one thread runs jobs in the order in which they were submitted") {
  ThreadPool pool({.max_workers = 1});
  std::string order;
  Gate gate;
  pool.submit(gate.job());
  for (char name : {'a', 'b', 'c'}) pool.submit([&order, name] { order += name; });
  const auto last = pool.submit([&] { return order; });
  gate.open();
  CHECK(last.get() == "abc");
}

TEST_CASE("a pool's threads have its name and a number") {
  ThreadPool pool({.max_workers = 1, .name = "crew"});
  const auto name = pool.submit([] {
    char text[16];
    pthread_getname_np(pthread_self(), text, sizeof text);
    return std::string(text);
  });
  CHECK(name.get() == "crew-1");
}

TEST_CASE("a job that has not begun can be cancelled, one that has can't") {
  ThreadPool pool({.max_workers = 1});
  Gate gate;
  bool ran = false;
  const auto first = pool.submit(gate.job());
  const auto second = pool.submit([&] { ran = true; });
  gate.wait_for(1);
  CHECK(!first.cancel());
  CHECK(second.cancel());
  CHECK(second.cancelled());
  CHECK(second.done());
  CHECK_THROWS_AS(second.get(), Cancelled);
  gate.open();
  first.get();
  pool.shutdown();
  CHECK(!ran);
  CHECK(!first.cancel());
}

TEST_CASE("ThreadPool.shutdown runs what was submitted, and refuses what comes after") {
  ThreadPool pool({.max_workers = 2});
  std::atomic<int> ran{0};
  for (int i = 0; i < 50; ++i) pool.submit([&] { ++ran; });
  pool.shutdown();
  CHECK(ran == 50);
  CHECK_THROWS_AS(pool.submit([] {}), jumpcut::RuntimeError);
  pool.shutdown();
}

TEST_CASE("ThreadPool.shutdown can cancel what has not begun") {
  ThreadPool pool({.max_workers = 1});
  Gate gate;
  const auto first = pool.submit(gate.job());
  const auto second = pool.submit([] {});
  gate.wait_for(1);
  pool.shutdown(false, true);
  CHECK(second.cancelled());
  gate.open();
  first.get();
}

TEST_CASE("ThreadPool.shutdown in a task lets the loop go on, which its jobs may need") {
  jumpcut::run([] {
    ThreadPool pool({.max_workers = 1});
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    const auto job = pool.submit(
        [&] { return jumpcut::run_coroutine_threadsafe([] { return 3; }, loop).get(); });
    pool.shutdown();
    CHECK(job.done());
    CHECK(job.get() == 3);
  });
}

TEST_CASE("a thread of a pool can't wait for its own end") {
  ThreadPool pool({.max_workers = 1});
  const auto job = pool.submit([&] { pool.shutdown(); });
  CHECK_THROWS_AS(job.get(), jumpcut::RuntimeError);
}

TEST_CASE("ThreadFuture.get in a task lets other tasks run") {
  jumpcut::run([] {
    ThreadPool pool;
    Gate gate;
    const auto job = pool.submit([run = gate.job()] {
      run();
      return 5;
    });
    auto other = create_task([&] { gate.open(); });
    CHECK(job.get() == 5);  // which would never be, if this blocked the thread
    await(other);
  });
}

TEST_CASE("ThreadFuture.wait_for returns whether it is done") {
  ThreadPool pool;
  Gate gate;
  const auto job = pool.submit(gate.job());
  CHECK(!job.wait_for(1ms));
  jumpcut::run([&] { CHECK(!job.wait_for(1ms)); });
  gate.open();
  CHECK(job.wait_for(1h));
  jumpcut::run([&] { CHECK(job.wait_for(1h)); });
}

TEST_CASE("run_in_executor returns a future of what the call returns or throws") {
  jumpcut::run([] {
    ThreadPool pool;
    jumpcut::Future<int> value = run_in_executor(&pool, [] { return 4; });
    CHECK(!value.done());  // it comes in a turn of the loop
    CHECK(await(value) == 4);
    auto failing = run_in_executor(&pool, []() -> int { throw std::runtime_error("no"); });
    CHECK_THROWS_WITH(await(failing), "no");
    auto cancelling = run_in_executor(&pool, [] { throw Cancelled("enough"); });
    CHECK_THROWS_AS(await(cancelling), Cancelled);
    CHECK(cancelling.cancelled());
    CHECK_THROWS_AS(run_in_executor(&pool, std::function<void()>()), jumpcut::ValueError);
  });
  CHECK_THROWS_AS(run_in_executor(nullptr, [] {}), jumpcut::RuntimeError);
}

TEST_CASE("cancelling run_in_executor's future withdraws a call that has not begun") {
  jumpcut::run([] {
    ThreadPool pool({.max_workers = 1});
    Gate gate;
    std::atomic<int> ran{0};
    auto first = run_in_executor(&pool, gate.job());
    auto second = run_in_executor(&pool, [&] { ++ran; });
    gate.wait_for(1);
    CHECK(first.cancel());
    CHECK(second.cancel());
    CHECK_THROWS_AS(await(first), Cancelled);
    CHECK_THROWS_AS(await(second), Cancelled);
    gate.open();
    pool.shutdown();
    CHECK(ran == 0);
    CHECK(gate.arrived == 1);  // the first went on
  });
}

TEST_CASE("an error that nobody takes out of run_in_executor's future is reported") {
  std::vector<std::string> reports;
  jumpcut::Runner runner;
  runner.get_loop().set_exception_handler(
      [&](const jumpcut::ErrorContext& context) { reports.push_back(context.describe()); });
  runner.run([] { run_in_executor(nullptr, [] { throw std::runtime_error("unseen"); }); });
  runner.close();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("unseen") != std::string::npos);
}

TEST_CASE("a job that outlives its loop finds nobody, and does no harm") {
  ThreadPool pool({.max_workers = 1});
  Gate gate;
  jumpcut::Future<std::string> kept(nullptr);
  jumpcut::run([&] {
    kept = run_in_executor(&pool, [run = gate.job()] {
      run();
      return std::string("nobody waits for this any more");
    });
    gate.wait_for(1);
  });
  gate.open();
  pool.shutdown();
  CHECK(!kept.done());
}

TEST_CASE("a program's own executor works for run_in_executor") {
  class Own final : public jumpcut::Executor {
   public:
    ~Own() override {
      for (auto& thread : threads_) thread.join();
    }
    void execute(std::unique_ptr<jumpcut::ExecutorJob> job) override {
      threads_.emplace_back([job = std::move(job)] {
        job->run();
        job->publish();
      });
    }

   private:
    std::vector<std::thread> threads_;
  };
  class Refusing final : public jumpcut::Executor {
   public:
    void execute(std::unique_ptr<jumpcut::ExecutorJob>) override {}
  };
  jumpcut::run([] {
    Own own;
    CHECK(await(run_in_executor(&own, [] { return 6; })) == 6);
    Refusing refusing;
    CHECK_THROWS_AS(await(run_in_executor(&refusing, [] { return 6; })), Cancelled);
  });
}

TEST_CASE("a ThreadPool of absurd size is refused") {
  CHECK_THROWS_AS(ThreadPool({.max_workers = 1'000'000}), jumpcut::ValueError);
}

TEST_CASE("a pool has four threads more than the process may use processors, as CPython's") {
  const Ended ended = in_child([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    expect(sched_setaffinity(0, sizeof one, &one) == 0, "it can be bound to a processor");
    expect(ThreadPool().max_workers() == 5, "one and four");
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a forked process has none of a pool's threads: it is told so, and doesn't hang") {
  if (EMULATED) return;
  ThreadPool pool({.max_workers = 2});
  Gate gate;
  const auto job = pool.submit(gate.job());
  gate.wait_for(1);
  const Ended ended = in_child([&] {
    try {
      pool.submit([] {});
      expect(false, "submit throws");
    } catch (const jumpcut::RuntimeError& error) {
      expect(std::string(error.what()).find("make a new one") != std::string::npos, "it says why");
    }
    expect(pool.worker_count() == 0, "no thread");
    pool.shutdown();
    pool.~ThreadPool();
    if (sanitized) _exit(0);  // ThreadSanitizer takes a new thread for the old one
    expect(ThreadPool().submit([] { return 3; }).get() == 3, "a new pool works");
    expect(jumpcut::run([] { return jumpcut::to_thread([] { return 4; }); }) == 4,
           "so does a new loop's");
    _exit(0);
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  gate.open();
  job.get();
}

TEST_CASE("a loop whose pool has threads can be closed in a forked process") {
  jumpcut::Loop loop;
  Gate gate;
  const auto job = loop.run_until_complete(
      [&] { return std::make_optional(run_in_executor(nullptr, gate.job())); });
  gate.wait_for(1);
  const Ended ended = in_child([&] {
    loop.close();
    expect(loop.is_closed(), "it is closed");
    _exit(0);
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  gate.open();
  loop.run_until_complete([&] { await(*job); });
}

TEST_CASE("a job that ends its thread ends the program, which says why") {
  if (EMULATED) return;
  const Ended ended = in_child([] {
    ThreadPool pool;
    pool.submit([] { pthread_exit(nullptr); }).get();
  });
  INFO(ended.output);
  CHECK(ended.signal == SIGABRT);
  CHECK(ended.output.find("pthread_exit()") != std::string::npos);
}

TEST_CASE("destructors of a pool's thread_local variables may post to the loop, and end with it") {
  jumpcut::run([] {
    place = &jumpcut::get_running_loop();
    ThreadPool pool({.max_workers = 3});
    for (int i = 0; i < 30; ++i) await(run_in_executor(&pool, [] { return ++local.used; }));
    pool.shutdown();
    CHECK(destroyed >= 1);
  });
}
