// cancel: a task is told to end, cleans up, and whoever awaits it is told.
//
//   $ ./cancel
//   worker: step 1
//   worker: step 2
//   main: cancel says true
//   worker: cancelled by task 'Task-1': enough
//   worker: putting the tools away
//   worker: tools are away
//   main: the worker was cancelled

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

void work() {
  try {
    for (int step = 1;; ++step) {
      std::printf("worker: step %d\n", step);
      jumpcut::sleep(100ms);
    }
  } catch (const jumpcut::Cancelled& cancelled) {
    std::printf("worker: cancelled by task '%s': %s\n", cancelled.request().by.c_str(),
                cancelled.message().c_str());
    std::puts("worker: putting the tools away");
    jumpcut::sleep(50ms);  // cleaning up may wait
    std::puts("worker: tools are away");
    throw;
  }
}

}  // namespace

int main() {
  jumpcut::run([] {
    auto worker = jumpcut::create_task(work);
    jumpcut::sleep(150ms);
    std::printf("main: cancel says %s\n", worker.cancel("enough") ? "true" : "false");
    try {
      await(worker);
    } catch (const jumpcut::Cancelled&) {
      std::puts("main: the worker was cancelled");
    }
  });
}
