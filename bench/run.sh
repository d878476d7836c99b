#!/bin/sh
# Builds optimised and runs every bench beside what it is compared with, in one program, several
# repetitions interleaved:
#
#   sh bench/run.sh [--quick] [PATTERN]
#
# --quick measures in a minute or two, and roughly; a pattern picks benches by name. Google
# Benchmark's JSON goes to build-bench/results.json, asyncio's numbers to build-bench/asyncio.json.
# Installs what is missing with apt, and says so first.

set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh

quick=
repetitions=15
seconds=0.1  # a repetition, at least
if [ "${1:-}" = --quick ]; then
  quick=--quick
  repetitions=3
  seconds=0.02
  shift
fi

configure_bench
build build-bench bench/bench
build-bench/bench/bench $quick --benchmark_filter="${1:-.}" --benchmark_min_time="$seconds" \
  --benchmark_repetitions="$repetitions" --benchmark_enable_random_interleaving=true \
  --benchmark_out=build-bench/results.json --benchmark_out_format=json >build-bench/results.txt \
  2>build-bench/results.log || { cat build-bench/results.log >&2; exit 1; }
# For information, where there is a Python that can: the table goes without if not.
python3 bench/asyncio_bench.py >build-bench/asyncio.json 2>/dev/null || rm -f build-bench/asyncio.json
python3 bench/table.py build-bench/results.json build-bench/asyncio.json
