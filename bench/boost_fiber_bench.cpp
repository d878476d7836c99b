// The neighbours of fiber_bench.cpp: the same by Boost.Fiber. Its fibers get stacks from their
// default allocator where stacks are not what is measured, else from its pool.

#include "bench.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <boost/fiber/all.hpp>

using boost::fibers::fiber;
using boost::fibers::launch;
using boost::this_fiber::yield;
using Channel = boost::fibers::unbuffered_channel<int>;

namespace {

constexpr int switches = 10'000;

[[gnu::noinline]] void yield_times(int times) {
  for (int i = 0; i < times; ++i) yield();
}

template <int fibers>
void yield_among(benchmark::State& state) {
  static constexpr int rounds = std::max(1, switches / fibers);
  bool stop = false;
  std::vector<fiber> all;
  for (int i = 1; i < fibers; ++i) {
    all.emplace_back([&] {
      while (!stop) yield_times(rounds);
    });
  }
  all.emplace_back([&] {
    measure(state, rounds * fibers, [] { yield_times(rounds); });
    stop = true;
  });
  for (fiber& one : all) one.join();
}
BENCHMARK(yield_among<2>)->Name("fiber.yield_2.boost");
BENCHMARK(yield_among<10>)->Name("fiber.yield_10.boost");
BENCHMARK(yield_among<1'000>)->Name("fiber.yield_1000.boost");
BENCHMARK(yield_among<20'000>)->Name("fiber.yield_20000.boost");

void spawn_join(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  boost::fibers::pooled_fixedsize_stack pool;
  measure(state, rounds, [&] {
    for (int i = 0; i < rounds; ++i) {
      fiber(launch::post, std::allocator_arg, pool, [] {}).join();
    }
  });
}
BENCHMARK(spawn_join)->Name("fiber.spawn_join.boost");

template <class Body>
void spawn_1000(benchmark::State& state, Body body) {
  boost::fibers::pooled_fixedsize_stack pool;
  std::vector<fiber> all;
  measure(state, 1'000, [&] {
    for (int i = 0; i < 1'000; ++i) all.emplace_back(launch::post, std::allocator_arg, pool, body);
    for (fiber& one : all) one.join();
    all.clear();
  });
}

void spawn_1000_join(benchmark::State& state) {
  spawn_1000(state, [] {});
}
BENCHMARK(spawn_1000_join)->Name("fiber.spawn_1000_join.boost");

void spawn_1000_yield_join(benchmark::State& state) {
  spawn_1000(state, [] { yield(); });
}
BENCHMARK(spawn_1000_yield_join)->Name("fiber.spawn_1000_yield_join.boost");

void ping_pong(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  Channel ping;
  Channel pong;
  fiber answers([&] {
    int ball = 0;
    while (ping.pop(ball) == boost::fibers::channel_op_status::success) pong.push(ball);
  });
  fiber asks([&] {
    measure(state, rounds, [&] {
      int ball = 0;
      for (int i = 0; i < rounds; ++i) {
        ping.push(i);
        pong.pop(ball);
      }
    });
    ping.close();
  });
  answers.join();
  asks.join();
}
BENCHMARK(ping_pong)->Name("fiber.ping_pong.boost");

}  // namespace
