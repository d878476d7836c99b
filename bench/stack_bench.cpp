// What guarding a stack costs when it is first taken; a stack that was used before is one entry of
// an array. For lib/decisions.

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>

#include "bench.hpp"

#include <cstddef>
#include <vector>

using jumpcut::lowlevel::GuardMode;
using jumpcut::lowlevel::Stack;
using jumpcut::lowlevel::StackPool;

namespace {

constexpr std::size_t count = 20'000;  // fewer than mprotect can guard by default

/// A new pool, and what was taken from it.
struct Taken {
  explicit Taken(GuardMode guard) : pool({.guard = guard}) { stacks.reserve(count); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {
    for (const Stack& stack : stacks) pool.give_back(stack);
  }

  StackPool pool;
  std::vector<Stack> stacks;
};

template <GuardMode guard>
void first_take(benchmark::State& state) {
  try {
    while (state.KeepRunningBatch(count)) {
      state.PauseTiming();
      {
        Taken taken(guard);
        state.ResumeTiming();
        while (taken.stacks.size() < count) taken.stacks.push_back(taken.pool.take());
        state.PauseTiming();
      }
      state.ResumeTiming();
    }
  } catch (const jumpcut::ResourceError& error) {  // not this guard, or not so many
    state.SkipWithError(error.what());
  }
}
BENCHMARK(first_take<GuardMode::madvise>)->Name("stack.first_take.madvise");
BENCHMARK(first_take<GuardMode::mprotect>)->Name("stack.first_take.mprotect");
BENCHMARK(first_take<GuardMode::canary>)->Name("stack.first_take.canary");

}  // namespace
