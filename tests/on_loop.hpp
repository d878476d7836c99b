// What tests of tasks that wait for each other share.

#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/run.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

/// Everything that is ready has had its turn, and what that made ready too.
inline void settle() {
  jumpcut::sleep(1ns);
}

/// Whether anything else had its turn since.
class OthersTurn {
 public:
  OthersTurn() {
    jumpcut::get_running_loop().call_soon([came = came_] { *came = true; });
  }

  bool came() const { return *came_; }

 private:
  std::shared_ptr<bool> came_ = std::make_shared<bool>(false);  // it may come when the test is over
};

/// How much time has passed on the loop's clock, which is virtual.
inline std::chrono::nanoseconds elapsed() {
  return jumpcut::get_running_loop().time().time_since_epoch();
}

/// How many callbacks and waiting tasks a future would tell that it is done.
inline int listeners_of(const jumpcut::AnyFuture& future) {
  int count = 0;
  future.base("listeners_of").for_each_listener([&](auto&) { ++count; });
  return count;
}

/// After so many rounds.
inline int value_after(int count, int value) {
  ticks(count);
  return value;
}
[[noreturn]] inline int fail_after(int count, const char* text) {
  ticks(count);
  throw std::runtime_error(text);
}

struct Boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Tasks that return their number after so many seconds.
inline std::vector<jumpcut::Task<int>> sleepers(const std::vector<int>& seconds) {
  std::vector<jumpcut::Task<int>> tasks;
  for (const int time : seconds) {
    tasks.push_back(jumpcut::create_task([time] {
      jumpcut::sleep(time * 1s);
      return time;
    }));
  }
  return tasks;
}

/// The messages of what the body has reported to the exception handler.
template <class Body>
std::vector<std::string> reports_of(Body body) {
  std::vector<std::string> reports;
  on_loop([&] {
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext& context) { reports.push_back(context.message); });
    body();
    ticks(3);
  });
  return reports;
}

/// The message of the Cancelled that function() throws; "-" if it has none.
template <class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const jumpcut::Cancelled& cancelled) {
    return cancelled.has_message() ? cancelled.message() : "-";
  }
  return "not cancelled";
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
