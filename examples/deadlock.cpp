// deadlock: two tasks wait for each other's lock. The loop knows that it can never go on, and says
// who waits for what.
//
//   $ ./deadlock
//   deadlock: nothing is ready, no timer is set, no descriptor is watched, and nobody else could
//   wake the loop
//     task 'Task-1' waits for gather()
//     task 'plato' waits for Lock.lock()
//     task 'kant' waits for Lock.lock()

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <mutex>

using namespace std::chrono_literals;

namespace {

void take_both(jumpcut::Lock& first, jumpcut::Lock& second) {
  const std::unique_lock one(first);
  jumpcut::sleep(100ms);
  const std::unique_lock other(second);
}

}  // namespace

int main() {
  jumpcut::Lock fork;
  jumpcut::Lock knife;
  try {
    jumpcut::run([&] {
      auto plato = jumpcut::create_task([&] { take_both(fork, knife); }, {.name = "plato"});
      auto kant = jumpcut::create_task([&] { take_both(knife, fork); }, {.name = "kant"});
      jumpcut::gather(plato, kant);
    });
  } catch (const jumpcut::Deadlock& deadlock) {
    std::puts(deadlock.what());
  }
}
