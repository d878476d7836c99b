// tea: two fibers; one stops in the middle of a function, the other lets it go on.
//
//   $ ./tea
//   guest: may I have tea?
//   host: it is ready
//   host: here you are
//   guest: thank you

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace jumpcut::lowlevel;

int main() {
  Scheduler scheduler;
  Wait tea;
  scheduler.spawn([&] {
    std::puts("guest: may I have tea?");
    park(tea);  // stops here; others have the thread
    std::puts("guest: thank you");
  });
  scheduler.spawn([&] {
    std::puts("host: it is ready");
    wake(tea);  // makes the guest ready, and goes on
    std::puts("host: here you are");
  });
  scheduler.run();
}
