// What other threads do to a loop at the same moment as the loop itself: callbacks that come while
// the wait is cancelled or runs out of time, jobs that begin while they are cancelled, posts while
// the loop closes. Whoever wins, each ends once. Meant for ThreadSanitizer too.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/jumpcut.hpp>
#include <jumpcut/thread_pool.hpp>
#include <jumpcut/threadsafe.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::await;
using jumpcut::await_callback;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::Done;
using jumpcut::run_coroutine_threadsafe;
using jumpcut::ThreadFuture;
using jumpcut::ThreadPool;
using namespace std::chrono_literals;

namespace {

constexpr int rounds = sanitized ? 2'000 : 20'000;
constexpr int threads = 3;

/// Threads that all begin the same thing in the same moment, again and again.
class Crowd {
 public:
  Crowd() {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i] {
        for (int round = 1;; ++round) {
          while (round_.load(std::memory_order_acquire) < round) std::this_thread::yield();
          if (over_) return;
          job_(i);
          ended_.fetch_add(1, std::memory_order_release);
        }
      });
    }
  }
  ~Crowd() {
    over_ = true;
    round_.fetch_add(1, std::memory_order_release);
    for (auto& thread : threads_) thread.join();
  }
  /// They begin job(number).
  void begin(std::function<void(int)> job) {
    job_ = std::move(job);
    ended_ = 0;
    round_.fetch_add(1, std::memory_order_release);
  }
  /// They have ended it.
  void join() {
    while (ended_.load(std::memory_order_acquire) < threads) std::this_thread::yield();
    job_ = nullptr;
  }

 private:
  std::function<void(int)> job_;
  std::atomic<int> round_{0};
  std::atomic<int> ended_{0};
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

struct Value {
  static inline std::atomic<int> alive{0};
  Value() { ++alive; }
  Value(Value&&) noexcept { ++alive; }
  Value& operator=(Value&&) = delete;
  ~Value() { --alive; }
  std::unique_ptr<int> memory = std::make_unique<int>(1);
};

/// Of all rounds together.
struct Ends {
  int values = 0;
  int cancelled = 0;
  int timed_out = 0;
  int dropped = 0;
  std::atomic<int> late{0};
  std::atomic<int> calls{0};
  int cancel_called = 0;

  int sum() const { return values + cancelled + timed_out + dropped; }
};

template <class Start>
void wait_once(Ends& ends, std::optional<std::chrono::nanoseconds> longest, Start start) {
  try {
    await_callback<Value>(start, {.timeout = longest,
                                  .cancel = [&] { ++ends.cancel_called; },
                                  .on_late = [&](Value&&) { ++ends.late; }});
    ++ends.values;
  } catch (const Cancelled&) {
    ++ends.cancelled;
  } catch (const jumpcut::TimeoutError&) {
    ++ends.timed_out;
  } catch (const jumpcut::CallbackDropped&) {
    ++ends.dropped;
  }
}

/// A loop that is not told what it reports: callbacks that are called again.
template <class Function>
void run_quietly(Function&& function) {
  jumpcut::Runner runner;
  runner.get_loop().set_exception_handler([](const jumpcut::ErrorContext&) {});
  runner.run(std::forward<Function>(function));
}

}  // namespace

TEST_CASE("a callback that comes while its await is cancelled ends it once") {
  Crowd crowd;
  Ends ends;
  run_quietly([&] {
    for (int round = 0; round < rounds; ++round) {
      std::optional<Done<Value>> done;
      auto task = create_task(
          [&] { wait_once(ends, std::nullopt, [&](auto given) { done = std::move(given); }); },
          {.eager_start = true});
      crowd.begin([&ends, done = *std::exchange(done, std::nullopt)](int number) {
        if (number != 0) return;
        ++ends.calls;
        done(Value());
      });
      if (round % 3 == 0) jumpcut::sleep(0s);
      task.cancel();
      await(task);
      crowd.join();
    }
  });
  CHECK(ends.sum() == rounds);
  CHECK(ends.values + ends.late == rounds);
  CHECK(ends.cancel_called <= ends.cancelled);
  CHECK(Value::alive == 0);
}

TEST_CASE("a callback that comes when its time is up ends its await once") {
  Crowd crowd;
  Ends ends;
  std::minstd_rand random(1);
  run_quietly([&] {
    for (int round = 0; round < rounds / 4; ++round) {
      wait_once(ends, std::chrono::microseconds(random() % 40), [&](auto done) {
        crowd.begin([&ends, done = std::move(done)](int number) {
          if (number != 0) return;
          ++ends.calls;
          done(Value());
        });
      });
      crowd.join();
    }
  });
  CHECK(ends.sum() == rounds / 4);
  CHECK(ends.values + ends.late == rounds / 4);
  CHECK(ends.cancel_called == ends.timed_out);
  CHECK(Value::alive == 0);
}

TEST_CASE("of threads that make the same call at once, one ends the await") {
  Crowd crowd;
  Ends ends;
  std::uint64_t repeated = 0;
  run_quietly([&] {
    for (int round = 0; round < rounds; ++round) {
      wait_once(ends, std::nullopt, [&](auto done) {
        crowd.begin([&ends, done = std::move(done)](int) {
          ++ends.calls;
          done(Value());
        });
      });
      crowd.join();
    }
    repeated = jumpcut::get_running_loop().stats().repeated_callbacks;
  });
  CHECK(ends.values == rounds);
  CHECK(ends.calls == rounds * threads);
  CHECK(repeated == std::uint64_t{rounds} * (threads - 1));
  CHECK(Value::alive == 0);
}

TEST_CASE("of threads that drop a callback at once, the last one ends the await") {
  Crowd crowd;
  Ends ends;
  run_quietly([&] {
    for (int round = 0; round < rounds / 4; ++round) {
      wait_once(ends, std::nullopt, [&](auto done) {
        const auto kept = std::make_shared<std::array<std::optional<Done<Value>>, threads>>();
        kept->fill(std::move(done));
        crowd.begin([kept, round](int number) {
          auto& copy = (*kept)[static_cast<std::size_t>(number)];
          if (round % 2 == 0 && number == 1) (*copy)(Value());
          copy.reset();
        });
      });
      crowd.join();
    }
  });
  CHECK(ends.values == rounds / 8);
  CHECK(ends.dropped == rounds / 8);
  CHECK(Value::alive == 0);
}

TEST_CASE("a callback that comes while its loop ends finds it, or finds it gone") {
  Crowd crowd;
  Ends ends;
  constexpr int loops = rounds / 10;
  for (int round = 0; round < loops; ++round) {
    run_quietly([&] {
      create_task(
          [&] {
            wait_once(ends, std::nullopt, [&](auto done) {
              crowd.begin([&ends, done = std::move(done)](int number) {
                if (number != 0) return;
                ++ends.calls;
                done(Value());
              });
            });
          },
          {.eager_start = true})
          .detach();
    });
    crowd.join();
  }
  CHECK(ends.sum() == loops);
  CHECK(ends.values + ends.late == loops);
  CHECK(Value::alive == 0);
}

TEST_CASE("a job that begins while it is cancelled runs or is withdrawn, not both") {
  Crowd crowd;
  ThreadPool pool({.max_workers = 2});
  int withdrawn = 0;
  std::atomic<int> ran{0};
  for (int round = 0; round < rounds / 4; ++round) {
    const auto job = pool.submit([&] { ++ran; });
    std::atomic<int> won{0};
    crowd.begin([&](int) {
      if (job.cancel()) ++won;
    });
    crowd.join();
    try {
      job.get();
      CHECK(won == 0);
    } catch (const Cancelled&) {
      ++withdrawn;
      CHECK(won > 0);
    }
  }
  pool.shutdown();
  CHECK(ran + withdrawn == rounds / 4);
}

TEST_CASE("run_in_executor's future and its job agree, when one is cancelled as the other begins") {
  std::atomic<int> ran{0};
  int values = 0;
  int cancelled = 0;
  jumpcut::run([&] {
    ThreadPool pool({.max_workers = 2});
    for (int round = 0; round < rounds / 4; ++round) {
      auto future = jumpcut::run_in_executor(&pool, [&] { return ++ran, Value(); });
      if (round % 2 == 0) jumpcut::sleep(0s);
      future.cancel();
      try {
        await(future);
        ++values;
      } catch (const Cancelled&) {
        ++cancelled;
      }
    }
    pool.shutdown();
  });
  CHECK(values + cancelled == rounds / 4);
  CHECK(ran >= values);
  CHECK(Value::alive == 0);
}

TEST_CASE("what threads ask of a loop while it closes is done, cancelled or refused by name") {
  Crowd crowd;
  std::atomic<int> refused{0};
  std::atomic<int> closed{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> values{0};
  std::atomic<int> posted{0};
  std::atomic<int> made{0};
  constexpr int loops = rounds / 20;
  for (int round = 0; round < loops; ++round) {
    jumpcut::Loop loop;
    crowd.begin([&](int number) {
      for (int i = 0; i < 4; ++i) {
        try {
          if (number == 0) {
            loop.call_soon_threadsafe([&made] { ++made; });
            ++posted;
            continue;
          }
          const auto future = run_coroutine_threadsafe(
              [i] {
                if (i % 2 == 0) jumpcut::sleep(1h);
                return i;
              },
              loop);
          if (i == 2) future.cancel();
          future.get();
          ++values;
        } catch (const Cancelled&) {
          ++cancelled;
        } catch (const jumpcut::LoopClosed&) {
          ++(number == 0 ? refused : closed);
        }
      }
    });
    loop.run_until_complete([&] { jumpcut::sleep(std::chrono::microseconds(round % 50)); });
    loop.close();
    crowd.join();
  }
  CHECK(posted + refused == loops * 4);
  CHECK(made <= posted);
  CHECK(values + cancelled + closed == loops * 8);
}

TEST_CASE("threads and tasks wait for one future together, and all see its end") {
  Crowd crowd;
  jumpcut::run([&] {
    ThreadPool pool({.max_workers = 1});
    for (int round = 0; round < rounds / 10; ++round) {
      const auto job = pool.submit([round] { return round; });
      std::atomic<int> seen{0};
      crowd.begin([&](int number) {
        if (number == 0) {
          while (!job.wait_for(1us)) {
          }
        }
        if (job.get() == round) ++seen;
      });
      auto other = create_task([&] { return job.get(); });
      CHECK(job.get() == round);
      CHECK(await(other) == round);
      crowd.join();
      CHECK(seen == threads);
    }
  });
}
