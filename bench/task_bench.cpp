// Tasks through the loop: what users call. Their neighbours are the fibers of
// boost_fiber_bench.cpp.

#include <jumpcut/jumpcut.hpp>

#include "bench.hpp"

#include <algorithm>
#include <vector>

using namespace std::chrono_literals;
using jumpcut::await;
using jumpcut::create_task;
using jumpcut::Future;

namespace {

constexpr int switches = 10'000;

[[gnu::noinline]] void sleep_times(int times) {
  for (int i = 0; i < times; ++i) jumpcut::sleep(0s);
}

/// turn() in a task, measured, while others call it over and over.
template <class Turn>
void measure_among(benchmark::State& state, int others, int operations, Turn turn) {
  jumpcut::run([&] {
    bool stop = false;
    std::vector<jumpcut::Task<>> all;
    for (int i = 0; i < others; ++i) {
      all.push_back(create_task([&] {
        while (!stop) turn();
      }));
    }
    measure(state, operations, turn);
    stop = true;
    for (const auto& one : all) await(one);
  });
}

template <int tasks>
void sleep_zero(benchmark::State& state) {
  static constexpr int rounds = std::max(1, switches / tasks);
  measure_among(state, tasks - 1, rounds * tasks, [] { sleep_times(rounds); });
}
BENCHMARK(sleep_zero<2>)->Name("task.sleep0_2");
BENCHMARK(sleep_zero<10>)->Name("task.sleep0_10");
BENCHMARK(sleep_zero<1'000>)->Name("task.sleep0_1000");
BENCHMARK(sleep_zero<20'000>)->Name("task.sleep0_20000");

/// A timer that is not due, as most programs have one, brings the hub in between any two ticks.
void sleep_zero_by_hub(benchmark::State& state) {
  static constexpr int rounds = switches / 2;
  measure_among(state, 1, 2 * rounds, [] {
    const auto timer = jumpcut::get_running_loop().call_later(1h, [] {});
    sleep_times(rounds);
    timer.cancel();
  });
}
BENCHMARK(sleep_zero_by_hub)->Name("task.sleep0_2_timer");

void create_await(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  measure_among(state, 0, rounds, [] {
    for (int i = 0; i < rounds; ++i) await(create_task([] {}));
  });
}
BENCHMARK(create_await)->Name("task.create_await");

void gather_1000(benchmark::State& state) {
  std::vector<jumpcut::Task<>> all;
  measure_among(state, 0, 1'000, [&] {
    for (int i = 0; i < 1'000; ++i) all.push_back(create_task([] {}));
    gather(all);
    all.clear();
  });
}
BENCHMARK(gather_1000)->Name("task.gather_1000");

/// Two tasks, each of which sets a future that the other awaits, there and back.
void future_ping_pong(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  jumpcut::run([&] {
    bool stop = false;
    Future<int> ping;
    Future<int> pong;
    const auto answers = create_task([&] {
      for (;;) {
        const int ball = await(ping);
        ping = Future<int>();
        pong.set_result(ball);
        if (stop) break;
      }
    });
    measure(state, rounds, [&] {
      for (int i = 0; i < rounds; ++i) {
        ping.set_result(i);
        await(pong);
        pong = Future<int>();
      }
    });
    stop = true;
    ping.set_result(0);
    await(answers);
  });
}
BENCHMARK(future_ping_pong)->Name("task.future_ping_pong");

/// The same over two channels.
void channel_ping_pong(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  jumpcut::run([&] {
    jumpcut::Channel<int> ping;
    jumpcut::Channel<int> pong;
    const auto answers = create_task([&] {
      for (const int ball : ping) pong.send(ball);
    });
    measure(state, rounds, [&] {
      for (int i = 0; i < rounds; ++i) {
        ping.send(i);
        pong.receive();
      }
    });
    ping.close();
    await(answers);
  });
}
BENCHMARK(channel_ping_pong)->Name("task.channel_ping_pong");

/// Two tasks that give way far below where they began, and stay there.
[[gnu::noinline]] void sleep_below(int depth, int times) {
  if (depth > 1) {
    sleep_below(depth - 1, times);
  } else {
    sleep_times(times);
  }
  benchmark::ClobberMemory();  // not a tail call
}

template <int depth>
void sleep_at_depth(benchmark::State& state) {
  static constexpr int rounds = 100 * switches;  // so that the way down and up is nothing
  measure_among(state, 1, 2 * rounds, [] { sleep_below(depth, rounds); });
}
BENCHMARK(sleep_at_depth<1'000>)->Name("task.sleep0_at_depth.1000");
BENCHMARK(sleep_at_depth<1>)->Name("task.sleep0_at_depth.1");

}  // namespace
