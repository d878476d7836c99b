// What all benches share. Names are `layer.operation[.variant]`; what ends in .ours has a neighbour
// that ends in the name of what it is compared with, and table.py pairs them.

#pragma once

#include <cstdint>

#include <benchmark/benchmark.h>

/// bench --quick: only to see that everything runs.
extern bool quick;

/// Those of io_bench.cpp, whose servers must be known before.
void register_io_benches();

/// Times turn(), which does `operations` of what is measured; the result is the time of one.
template <class Turn>
void measure(benchmark::State& state, std::int64_t operations, Turn&& turn) {
  turn();  // the first one is not like the others
  while (state.KeepRunningBatch(operations)) turn();
}
