// What tests of tasks that wait for each other share.

#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/run.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>

#include <chrono>
#include <utility>

using namespace std::chrono_literals;

/// Runs the body as the main task of a loop, on a virtual clock. Who would wait for good gets
/// Deadlock, and a task that is left at the end is cancelled.
template <class Body>
auto on_loop(Body body) {
  jumpcut::VirtualClock clock;
  jumpcut::RunOptions options;
  options.clock = &clock;
  options.handle_sigint = false;
  return jumpcut::run(std::move(body), options);
}

/// Lets so many rounds of what is ready go by.
inline void ticks(int count = 1) {
  for (; count > 0; --count) jumpcut::sleep(0s);
}

/// Whether function() throws Cancelled.
template <class Function>
bool is_cancelled(Function function) {
  try {
    function();
  } catch (const jumpcut::Cancelled&) {
    return true;
  }
  return false;
}

/// Cancels these tasks and waits until all have ended so.
template <class... Tasks>
bool all_cancelled(const Tasks&... tasks) {
  (tasks.cancel(), ...);
  return (is_cancelled([&] { await(tasks); }) && ...);
}
