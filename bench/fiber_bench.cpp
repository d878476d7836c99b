// Fibers through the scheduler: yield, spawn and join, park and wake.

#include "fiber_loops.hpp"

using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;
using loops::Usual;

namespace {

BENCHMARK(loops::yield<Usual, 2>)->Name("fiber.yield_2.ours");
BENCHMARK(loops::yield<Usual, 10>)->Name("fiber.yield_10.ours");
BENCHMARK(loops::yield<Usual, 1'000>)->Name("fiber.yield_1000.ours");
BENCHMARK(loops::yield<Usual, 20'000>)->Name("fiber.yield_20000.ours");
BENCHMARK(loops::spawn_join<Usual>)->Name("fiber.spawn_join.ours");
BENCHMARK(loops::ping_pong<Usual>)->Name("fiber.ping_pong.ours");
BENCHMARK(loops::yield_at_depth<Usual, 1'000>)->Name("fiber.yield_at_depth.1000");
BENCHMARK(loops::yield_at_depth<Usual, 1>)->Name("fiber.yield_at_depth.1");

/// Spawns `fibers` that each do body(), and waits for all of them.
template <class Body>
void spawn_and_wait(int fibers, Body body) {
  int left = fibers;
  Wait all_done;
  for (int i = 0; i < fibers; ++i) {
    jumpcut::lowlevel::spawn([&] {
      body();
      if (--left == 0) wake(all_done);
    });
  }
  park(all_done);
}

void spawn_1000_join(benchmark::State& state) {
  loops::measure_among(state, 0, 1'000, [] { spawn_and_wait(1'000, [] {}); });
}
BENCHMARK(spawn_1000_join)->Name("fiber.spawn_1000_join.ours");

/// Each needs a stack of its own, from a warm pool.
void spawn_1000_yield_join(benchmark::State& state) {
  loops::measure_among(state, 0, 1'000,
                       [] { spawn_and_wait(1'000, [] { jumpcut::lowlevel::yield(); }); });
}
BENCHMARK(spawn_1000_yield_join)->Name("fiber.spawn_1000_yield_join.ours");

}  // namespace
