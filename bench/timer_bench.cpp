// The timer heap, with few and with many timers pending, at random deadlines.

#include "bench.hpp"

#include "loop/timer_heap.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

using jumpcut::impl::TimerHeap;
using jumpcut::impl::TimerNode;

namespace {

constexpr std::size_t operations = 1024;

/// Deadlines within an hour; numbers are made beforehand, so that making them is not measured.
class Deadlines {
 public:
  Deadlines() {
    std::mt19937_64 random(1);  // NOLINT(*-msc51-cpp): the same each time
    constexpr std::uint64_t hour = 3'600'000'000'000;
    for (std::int64_t& when : deadlines_) when = static_cast<std::int64_t>(random() % hour);
  }
  std::int64_t next() noexcept { return deadlines_[at_++ % deadlines_.size()]; }

 private:
  std::vector<std::int64_t> deadlines_ = std::vector<std::int64_t>(1 << 16);
  std::size_t at_ = 0;
};

struct Pending {
  explicit Pending(std::size_t count) : timers(count) {
    for (TimerNode& timer : timers) heap.add(deadlines.next(), timer);
  }

  Deadlines deadlines;
  TimerHeap heap;
  std::deque<TimerNode> timers;
};

/// A timeout that does not happen.
void set_cancel(benchmark::State& state, std::size_t count) {
  Pending pending(count);
  TimerNode timeout;
  measure(state, operations, [&] {
    for (std::size_t i = 0; i < operations; ++i) {
      pending.heap.add(pending.deadlines.next(), timeout);
      pending.heap.cancel(timeout);
    }
  });
}

/// Any of those that are pending is moved.
void reset(benchmark::State& state, std::size_t count) {
  Pending pending(count);
  std::minstd_rand random(1);  // NOLINT(*-msc51-cpp): the same each time
  measure(state, operations, [&] {
    for (std::size_t i = 0; i < operations; ++i) {
      TimerNode& timer = pending.timers[random() % count];
      pending.heap.cancel(timer);
      pending.heap.add(pending.deadlines.next(), timer);
    }
  });
}

/// The soonest is taken out, and set anew.
void pop_set(benchmark::State& state, std::size_t count) {
  Pending pending(count);
  std::int64_t now = 0;
  measure(state, operations, [&] {
    for (std::size_t i = 0; i < operations; ++i) {
      now = *pending.heap.next();
      TimerNode& timer = *pending.heap.pop_due(now);
      pending.heap.add(now + pending.deadlines.next(), timer);
    }
  });
}

BENCHMARK_CAPTURE(set_cancel, few, 1000)->Name("timer.set_cancel.1000");
BENCHMARK_CAPTURE(set_cancel, many, 1'000'000)->Name("timer.set_cancel.1000000");
BENCHMARK_CAPTURE(reset, few, 1000)->Name("timer.reset.1000");
BENCHMARK_CAPTURE(reset, many, 1'000'000)->Name("timer.reset.1000000");
BENCHMARK_CAPTURE(pop_set, few, 1000)->Name("timer.pop_set.1000");
BENCHMARK_CAPTURE(pop_set, many, 1'000'000)->Name("timer.pop_set.1000000");

}  // namespace
