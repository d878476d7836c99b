// A program for debugger.py to stop in: three fibers, two of them parked.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <csignal>

int main() {
  jumpcut::lowlevel::Scheduler scheduler;
  jumpcut::lowlevel::Wait waits[2];
  scheduler.spawn([&] { park(waits[0]); }, {.name = "reader"});
  scheduler.spawn([&] { park(waits[1]); }, {.name = "writer"});
  scheduler.spawn(
      [&] {
        std::raise(SIGTRAP);
        for (auto& wait : waits) wake(wait);
      },
      {.name = "stopper"});
  scheduler.run();
}
