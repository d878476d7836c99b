// three_queues: what waits where. The ready queue, the timers and the watched descriptors, with
// their sizes while there is one task in each.
//
//   $ ./three_queues
//   at the start:        ready 0, timers 0, io 0, tasks 1
//   three were created:  ready 3, timers 0, io 0, tasks 4
//   each had its turn:   ready 1, timers 1, io 1, tasks 4
//   the pipe has a byte: ready 1, timers 1, io 0, tasks 3
//   half a second later: ready 0, timers 0, io 0, tasks 1

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

#include <unistd.h>

using namespace std::chrono_literals;

namespace {

void show(const char* when) {
  const jumpcut::LoopStats stats = jumpcut::get_running_loop().stats();
  std::printf("%-20s ready %zu, timers %zu, io %zu, tasks %zu\n", when, stats.ready, stats.timers,
              stats.io, stats.tasks);
}

void wait_readable(int fd) {
  jumpcut::Loop& loop = jumpcut::get_running_loop();
  jumpcut::Future<> readable;
  loop.add_reader(fd, [&] {
    loop.remove_reader(fd);
    readable.set_result();
  });
  await(readable);
}

}  // namespace

int main() {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  jumpcut::run([&] {
    show("at the start:");
    auto ready = jumpcut::create_task([] {
      for (;;) jumpcut::sleep(0s);
    });
    auto sleeper = jumpcut::create_task([] { jumpcut::sleep(500ms); });
    auto reader = jumpcut::create_task([&] { wait_readable(ends[0]); });
    show("three were created:");
    jumpcut::sleep(0s);
    show("each had its turn:");
    if (write(ends[1], "x", 1) != 1) return;
    await(reader);
    show("the pipe has a byte:");
    ready.cancel();
    await(sleeper);
    show("half a second later:");
  });
}
