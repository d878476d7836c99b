// hello: two tasks, and one that awaits another.
//
//   $ ./hello
//   main: the kettle is on
//   tick
//   tick
//   main: 2 cups of tea

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

static int boil() {  // a plain function: it may wait, and so may whoever calls it
  jumpcut::sleep(250ms);
  return 2;
}

int main() {
  jumpcut::run([] {
    auto kettle = jumpcut::create_task(boil);
    auto clock = jumpcut::create_task([] {
      for (;;) jumpcut::sleep(100ms), std::puts("tick");
    });
    std::puts("main: the kettle is on");
    std::printf("main: %d cups of tea\n", jumpcut::await(kettle));
  });  // what still runs is cancelled here
}
