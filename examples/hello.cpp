// hello: two tasks, and one that awaits another.
//
//   $ ./hello
//   main: kettle on
//   kettle: heating
//   clock: tick
//   clock: tick
//   kettle: boiling
//   main: 2 cups of tea

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

int boil() {  // a plain function; it may wait, and so may whoever calls it
  std::puts("kettle: heating");
  jumpcut::sleep(250ms);
  std::puts("kettle: boiling");
  return 2;
}

}  // namespace

int main() {
  jumpcut::run([] {
    auto kettle = jumpcut::create_task(boil);
    std::puts("main: kettle on");
    auto clock = jumpcut::create_task([] {
      for (;;) jumpcut::sleep(100ms), std::puts("clock: tick");
    });
    std::printf("main: %d cups of tea\n", jumpcut::await(kettle));
  });  // what is still running is cancelled here
}
