// deadlock: two tasks wait for each other's lock. The loop knows that it can never go on, and says
// who waits for what.
//
//   $ ./deadlock
//   deadlock: nothing is ready, no timer is set, no descriptor is watched, and nobody could post
//     task 'Task-1' waits for gather():
//       ...
//     task 'plato' waits for Lock.lock(), held by task 'kant':
//       (anonymous namespace)::take_both(jumpcut::Lock&, jumpcut::Lock&) (deadlock+0x...)
//       ...
//     task 'kant' waits for Lock.lock(), held by task 'plato':
//       (anonymous namespace)::take_both(jumpcut::Lock&, jumpcut::Lock&) (deadlock+0x...)
//       ...
//     in a circle: task 'plato' waits for task 'kant', that for task 'plato'

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <mutex>

using namespace std::chrono_literals;

namespace {

// Not inlined, so that the report names it.
[[gnu::noinline]] void take_both(jumpcut::Lock& first, jumpcut::Lock& second) {
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
