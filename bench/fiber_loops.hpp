// What the benches of fibers do, by a given form of the switch.

#pragma once

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "bench.hpp"

#include <algorithm>
#include <utility>

namespace loops {

using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;

/// As everybody gets it.
struct Usual {
  [[gnu::always_inline]] static void yield() { jumpcut::lowlevel::yield(); }
  [[gnu::always_inline]] static void park(Wait& wait) { jumpcut::lowlevel::park(wait); }
};

template <auto switch_form>
struct By {
  [[gnu::always_inline]] static void yield() { jumpcut::lowlevel::yield_by<switch_form>(); }
  [[gnu::always_inline]] static void park(Wait& wait) {
    jumpcut::lowlevel::park_by<switch_form>(wait);
  }
};

constexpr int switches = 10'000;  // a turn, or as near as whole rounds come

/// turn() on a fiber, measured, while `others` more call it over and over.
template <class Turn>
void measure_among(benchmark::State& state, int others, int operations, Turn turn) {
  Scheduler scheduler;
  bool stop = false;
  for (int i = 0; i < others; ++i) {
    scheduler.spawn([&] {
      while (!stop) turn();
    });
  }
  scheduler.spawn([&] {
    measure(state, operations, turn);
    stop = true;
  });
  scheduler.run();
}

template <class Form>
[[gnu::noinline]] void yield_times(int times) {
  for (int i = 0; i < times; ++i) Form::yield();
}

template <class Form, int fibers>
void yield(benchmark::State& state) {
  static constexpr int rounds = std::max(1, switches / fibers);
  measure_among(state, fibers - 1, rounds * fibers, [] { yield_times<Form>(rounds); });
}

/// Two fibers that yield far below where they began, and stay there.
template <class Form>
[[gnu::noinline]] void yield_below(int depth, int times) {
  if (depth > 1) {
    yield_below<Form>(depth - 1, times);
  } else {
    yield_times<Form>(times);
  }
  benchmark::ClobberMemory();  // not a tail call
}

template <class Form, int depth>
void yield_at_depth(benchmark::State& state) {
  static constexpr int rounds = 100 * switches;  // so that the way down and up is nothing
  measure_among(state, 1, 2 * rounds, [] { yield_below<Form>(depth, rounds); });
}

/// As many functions as calls, so that each return goes to another place.
template <class Form, int depth>
[[gnu::noinline]] void yield_after_calls() {
  if constexpr (depth > 1) {
    yield_after_calls<Form, depth - 1>();
  } else {
    Form::yield();
  }
  benchmark::ClobberMemory();  // not a tail call
}

/// Two fibers that call all the way down, yield once, and return all the way up.
template <class Form, int depth>
void yield_and_return(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  measure_among(state, 1, 2 * rounds, [] {
    for (int i = 0; i < rounds; ++i) yield_after_calls<Form, depth>();
  });
}

template <class Form>
void spawn_join(benchmark::State& state) {
  static constexpr int rounds = switches / 10;
  measure_among(state, 0, rounds, [] {
    for (int i = 0; i < rounds; ++i) {
      Wait joined;
      jumpcut::lowlevel::spawn([&] { wake(joined); });
      Form::park(joined);
    }
  });
}

/// Wakes the other one and parks, which is one half of a round trip.
template <class Form>
[[gnu::always_inline]] inline void pass(Wait*& parked) {
  Wait mine;
  Wait* theirs = std::exchange(parked, &mine);
  if (theirs != nullptr) wake(*theirs);
  Form::park(mine);
}

/// The two are parked at different places in the code.
template <class Form>
void ping_pong(benchmark::State& state) {
  static constexpr int rounds = switches / 2;
  Scheduler scheduler;
  Wait* parked = nullptr;
  bool stop = false;
  scheduler.spawn([&] {
    while (!stop) pass<Form>(parked);
  });
  scheduler.spawn([&] {
    measure(state, rounds, [&] {
      for (int i = 0; i < rounds; ++i) pass<Form>(parked);
    });
    stop = true;
    wake(*parked);
  });
  scheduler.run();
}

}  // namespace loops
