# Sourced by tests/run.sh, examples/tour.sh and bench/run.sh in the top folder: installs what is
# missing, makes a build folder, builds. A folder that is there is used again.

# <Debian package>=<what it brings>: a command, or a file. If all is there, apt is not touched.
build_needs='meson=meson ninja-build=ninja g++=g++ pkg-config=pkg-config
  libmimalloc-dev=/usr/include/mimalloc.h'
test_needs='catch2=/usr/include/catch2/catch.hpp valgrind=valgrind
  nlohmann-json3-dev=/usr/include/nlohmann/json.hpp
  libboost-context1.81-dev=/usr/lib/*/libboost_context.so
  curl=curl wrk=wrk netcat-openbsd=nc openssl=openssl
  nginx-light=/usr/sbin/nginx redis-server=redis-server'

need() {
  missing=
  for word in "$@"; do
    is_there "${word#*=}" || missing="$missing ${word%%=*}"
  done
  [ -z "$missing" ] || install_packages $missing
}

is_there() {
  case $1 in
    /*) set -- $1 && [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

install_packages() {
  echo "Missing, to be installed with apt-get: $*"
  by_hand="apt-get update && apt-get install -y --no-install-recommends $*"
  if [ "$(id -u)" = 0 ]; then
    apt='env DEBIAN_FRONTEND=noninteractive apt-get -q'
  elif command -v sudo >/dev/null; then
    apt='sudo env DEBIAN_FRONTEND=noninteractive apt-get -q'
  else
    apt=false
  fi
  command -v apt-get >/dev/null || apt=false

  # The package lists may be absent or too old: a dry run tells.
  if [ "$apt" != false ]; then
    $apt install --simulate --no-install-recommends "$@" >/dev/null 2>&1 || $apt update || apt=false
  fi
  if ! $apt install -y --no-install-recommends "$@"; then
    echo "Could not install them from here. Run this line as root, then start again:"
    echo "  $by_hand"
    exit 1
  fi
}

# configure FOLDER OPTION...: with the compilers in $CC and $CXX, if they are set.
configure() {
  folder=$1
  shift
  if [ ! -f "$folder/build.ninja" ]; then
    rm -rf "$folder/meson-private"  # what a setup that was interrupted left behind
    meson setup "$folder" "$@"
  elif [ "$(cat "$folder/options" 2>/dev/null)" != "$*" ]; then
    meson setup --reconfigure "$folder" "$@"
  fi
  echo "$*" >"$folder/options"
}

# build FOLDER [TARGET...]: one job a core, because Catch2 wants much memory.
build() {
  folder=$1
  shift
  ninja -C "$folder" -j "$(nproc)" "$@"
}

# The build of bench/run.sh and examples/tour.sh.
configure_bench() {
  need $build_needs libbenchmark-dev=/usr/include/benchmark/benchmark.h \
    'libboost-context1.81-dev=/usr/lib/*/libboost_context.so' \
    'libboost-fiber1.81-dev=/usr/lib/*/libboost_fiber.so' \
    libuv1-dev=/usr/include/uv.h libasio-dev=/usr/include/asio.hpp wrk=wrk
  export CC=gcc CXX=g++
  configure build-bench --buildtype=release -Dtests=disabled -Dexamples=enabled \
    -Dbenchmarks=enabled -Dcompare=enabled
}
