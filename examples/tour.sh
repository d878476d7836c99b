#!/bin/sh
# A tour of jumpcut: builds the examples optimised, runs each and shows what it prints, and closes
# with what a switch costs:
#
#   sh examples/tour.sh [--quick]
#
# --quick measures for a moment only. Installs what is missing with apt, and says so first.

set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh

configure_bench
build build-bench
for name in $(sed -n "s/^  '\([a-z0-9_]*\)',\$/\1/p" examples/meson.build); do
  printf '\n$ ./%s\n' "$name"
  "build-bench/examples/$name"
done
printf '\nWhat a switch costs:\n'
sh bench/run.sh "$@" '^(switch|fiber.(yield_[0-9]|spawn_join))'
