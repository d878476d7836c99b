#!/bin/sh
# Builds jumpcut and runs every test:
#
#   sh tests/run.sh            g++, debugoptimized, in build/
#   sh tests/run.sh release    g++ -O3, in build-release/; likewise the others
#   sh tests/run.sh clang      clang -O3, and clang-format and clang-tidy
#   sh tests/run.sh asan       AddressSanitizer and UndefinedBehaviorSanitizer
#   sh tests/run.sh tsan       ThreadSanitizer
#   sh tests/run.sh aarch64    cross-built, run under qemu-user
#   sh tests/run.sh all        all of them, cheapest first, up to the first that fails
#
# With --essential behind the name: only the tests that say most in the least time, which are all
# that is built, and what the sources are checked for.
#
# Installs what is missing with apt, and says so first. The last line is `N passed, N failed`, over
# all test cases, with `, N skipped` where a test could not run.

set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh

needs="$build_needs $test_needs"
folder=build-${1:-}
options=--buildtype=debugoptimized
less_to_compile='-Doptimization=1 -Dcpp_args=-g1'  # a file of lib/ takes two fifths of the time
slower=1   # how much longer than usual a test may take
around=    # a command to run the tests under
export CC=gcc CXX=g++

case ${1:-} in
  '')
    folder=build
    ;;
  release)
    options=--buildtype=release
    ;;
  clang)
    options=--buildtype=release
    needs="$needs clang=clang++ clang-tidy=clang-tidy clang-format-14=clang-format-14"
    CC=clang CXX=clang++
    ;;
  asan)
    options="$options $less_to_compile -Db_sanitize=address,undefined -Db_lundef=false"
    slower=5
    export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    ;;
  tsan)
    options="$options $less_to_compile -Db_sanitize=thread -Db_lundef=false"
    slower=10
    export TSAN_OPTIONS=die_after_fork=0  # some tests have children with threads
    # ThreadSanitizer of g++ 12 gives up where the kernel places mappings at random over more bits
    # than it knows of.
    if setarch -R true 2>/dev/null; then around='setarch -R'; fi
    ;;
  aarch64)
    options="$options --cross-file=tests/cross/aarch64-linux-gnu.ini"
    needs="$needs g++-aarch64-linux-gnu=aarch64-linux-gnu-g++ qemu-user=qemu-aarch64"
    slower=10
    unset CC CXX  # those of the cross file
    ;;
  all)
    ran=
    for one in '' release clang asan tsan aarch64; do
      echo "== sh tests/run.sh $one"
      ran="$ran build${one:+-$one}/totals"
      sh tests/run.sh $one || break
    done
    exec python3 tests/totals.py sum $ran
    ;;
  *)
    sed -n '2,/^$/s/^# \{0,1\}//p' tests/run.sh
    exit 2
    ;;
esac

need $needs
mkdir -p "$folder"
echo '0 passed, 1 failed' >"$folder/totals"  # until the tests have run: the build itself
trap 'tail -n 1 "$folder/totals"' EXIT

configure "$folder" $options -Dtests=enabled -Dexamples=enabled -Dbenchmarks=disabled
chosen=--no-rebuild
case ${2:-} in
  '') build "$folder" ;;
  --essential) chosen='--suite essential --suite house' ;;
  *) echo "tests/run.sh: what is $2?" && exit 2 ;;
esac
log=$folder/meson-logs/testlog.json
rm -f "$log"
$around meson test -C "$folder" $chosen --print-errorlogs --timeout-multiplier "$slower" || true
python3 tests/totals.py of "$log" "$folder/totals"
