// What a parked fiber keeps: the growth of VmRSS and VmPTE, the page tables, in a process of its
// own, so that this one stays small.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>
#include <jumpcut/run.hpp>
#include <jumpcut/sleep.hpp>

#include "bench.hpp"

#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;

namespace {

/// A line `name: N kB` of a file in /proc; 0 without it.
double kib_of(const char* file, const std::string& name) {
  std::ifstream lines(file);
  std::string word;
  while (lines >> word) {
    double kib = 0;
    if (word == name + ':' && lines >> kib) return kib;
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

double kib_in_use() {
  return kib_of("/proc/self/status", "VmRSS") + kib_of("/proc/self/status", "VmPTE");
}

/// KiB a task, with so many in sleep().
double kib_of_sleeping(int tasks, std::size_t stack_size) {
  const double before = kib_in_use();
  double during = 0;
  jumpcut::RunOptions options;
  options.loop.stacks.stack_size = stack_size;
  auto& runner = *new jumpcut::Runner(options);  // its tasks never end
  runner.run([&] {
    for (int i = 0; i < tasks; ++i) {
      jumpcut::create_task([] { jumpcut::sleep(std::chrono::hours(1)); }).detach();
    }
    jumpcut::sleep(std::chrono::seconds(0));
    during = kib_in_use();
  });
  return (during - before) / tasks;
}

/// KiB a fiber, with so many parked.
double kib_of_parked(int fibers, std::size_t stack_size) {
  const double before = kib_in_use();
  auto& scheduler = *new Scheduler({.stacks = {.stack_size = stack_size}});  // its fibers never end
  for (int i = 0; i < fibers; ++i) {
    scheduler.spawn([] {
      Wait wait;
      park(wait);
    });
  }
  scheduler.run();
  return (kib_in_use() - before) / fibers;
}

/// The same in a child process; -1 if that fails.
double kib_in_child(double (*kib_of_all)(int, std::size_t), int fibers, std::size_t stack_size) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    const double kib = kib_of_all(fibers, stack_size);
    const ssize_t written = write(ends[1], &kib, sizeof kib);
    _exit(written == sizeof kib ? 0 : 1);
  }
  close(ends[1]);
  double kib = -1;
  if (read(ends[0], &kib, sizeof kib) != sizeof kib) kib = -1;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return kib;
}

template <double (*kib_of_all)(int, std::size_t), std::size_t stack_size>
void memory(benchmark::State& state) {
  const int fibers = quick ? 50'000 : 1'000'000;
  const double needed = 5.5 * fibers;
  const double available = kib_of("/proc/meminfo", "MemAvailable");
  if (available < needed) {
    state.SkipWithError((std::to_string(fibers) + " fibers need " +
                         std::to_string(std::lround(needed / 1024)) + " MiB of memory, and " +
                         std::to_string(std::lround(available / 1024)) + " MiB are free")
                            .c_str());
    return;
  }
  for (auto _ : state) state.counters["KiB"] = kib_in_child(kib_of_all, fibers, stack_size);
  if (state.counters["KiB"] < 0) state.SkipWithError("the measuring process failed");
}
template <double (*kib_of_all)(int, std::size_t), std::size_t stack_size>
void enlist(const char* name) {
  benchmark::RegisterBenchmark(name, memory<kib_of_all, stack_size>)->Iterations(1)->Repetitions(1);
}

[[maybe_unused]] const bool enlisted = [] {
  enlist<kib_of_sleeping, 256 * 1024>("memory.sleeping.default");
  enlist<kib_of_sleeping, 64 * 1024>("memory.sleeping.64_KiB_stacks");
  enlist<kib_of_parked, 256 * 1024>("memory.parked.default");
  enlist<kib_of_parked, 64 * 1024>("memory.parked.64_KiB_stacks");
  return true;
}();

}  // namespace
