// The watchdog of a loop: it says which step holds the loop up, on standard error.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "watchdog_thread.hpp"

#include <chrono>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

using Catch::Equals;
using Catch::Matches;
using jumpcut::await, jumpcut::create_task, jumpcut::get_running_loop, jumpcut::Loop;
using jumpcut::LoopOptions, jumpcut::run, jumpcut::RunOptions, jumpcut::VirtualClock;

namespace {

/// As long as it lives, it has what is written to standard error.
class StandardError {
 public:
  StandardError() : before_(dup(STDERR_FILENO)) {
    REQUIRE(pipe2(ends_, O_NONBLOCK | O_CLOEXEC) == 0);
    dup2(ends_[1], STDERR_FILENO);
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;
  ~StandardError() {
    dup2(before_, STDERR_FILENO);
    for (const int fd : {before_, ends_[0], ends_[1]}) close(fd);
  }

  /// All that was written so far.
  const std::string& text() {
    char part[4096];
    for (ssize_t length; (length = read(ends_[0], part, sizeof part)) > 0;) {
      text_.append(part, static_cast<std::size_t>(length));
    }
    return text_;
  }

 private:
  int ends_[2];
  int before_;
  std::string text_;
};

/// Does not wait, until it is reported as `who`, with its stack. A report of who spun before may
/// still come.
[[gnu::noinline]] void spin(StandardError& error, const std::string& who) {
  for (;;) {
    const std::string& text = error.text();
    const auto place = text.find("::spin(", text.find("jumpcut: " + who + " has run for "));
    if (place != text.npos && text.find('\n', place) != text.npos) break;
  }
  asm volatile("" : : : "memory");
}

RunOptions watched() {
  RunOptions options;
  options.loop.slow_callback_duration = 2ms;
  return options;
}

}  // namespace

// First, as long as this process has one thread: an emulator can fork no other.
TEST_CASE("a loop may do without the watchdog, and on a virtual clock it always does") {
  const auto threads_with = [](void (*change)(LoopOptions&)) {
    return in_child([change] {
      VirtualClock clock;
      LoopOptions options;
      options.clock = &clock;
      change(options);
      if (options.clock == nullptr) expect(!has_watchdog_thread(), "before");
      Loop loop(options);
      loop.run_until_complete([] { jumpcut::sleep(1ms); });
      expect(!has_watchdog_thread(), "no thread was started");
    });
  };
  CHECK_THAT(threads_with([](LoopOptions&) {}).output, Equals(""));
  CHECK_THAT(threads_with([](LoopOptions& options) {
               options.clock = nullptr;
               options.watchdog = false;
             }).output,
             Equals(""));
  CHECK_THAT(threads_with([](LoopOptions& options) {
               options.clock = nullptr;
               options.slow_callback_duration = 0s;
             }).output,
             Equals(""));
  CHECK_THAT(threads_with([](LoopOptions& options) {
               options.clock = nullptr;
               setenv("JUMPCUT_WATCHDOG", "off", 1);
             }).output,
             Equals(""));
}

TEST_CASE("a loop has a watchdog unless it is told otherwise") {
  run([] { CHECK(has_watchdog_thread()); });
}

TEST_CASE("a task that never awaits is named, with its stack and how many it holds up") {
  StandardError error;
  run(
      [&] {
        const auto chess = create_task([&] { spin(error, "task 'chess'"); }, {.name = "chess"});
        const auto other = create_task([] {});
        await(chess);
        await(other);
        CHECK(get_running_loop().stats().stalls >= 1);
      },
      watched());
  CHECK_THAT(error.text(), Matches("(.|\n)*jumpcut: task 'chess' has run for [0-9.]+ s without "
                                   "awaiting \\(it holds up 1 other\\):\n(.|\n)*"
                                   "    [^\n]*::spin\\([^\n]*\n(.|\n)*"));
}

TEST_CASE("a loop that is stuck in its very first step is found out") {
  StandardError error;
  RunOptions options = watched();
  options.name = "main";
  run([&] { spin(error, "task 'main'"); }, options);
}

TEST_CASE("a callback that holds up its loop is reported as such") {
  StandardError error;
  run(
      [&] {
        get_running_loop().call_soon(
            [&] { spin(error, "a callback, or a call on the thread's own stack,"); });
        jumpcut::sleep(0s);
      },
      watched());
}

TEST_CASE("a step that is stuck after the loop has slept is found out") {
  StandardError error;
  RunOptions options = watched();
  options.name = "sleepy";
  run(
      [&] {
        jumpcut::sleep(1ms);
        spin(error, "task 'sleepy'");
      },
      options);
}

TEST_CASE("a task that is stuck in a loop of a thread of its own is found out") {
  StandardError error;
  const std::string name = jumpcut::run([&] {
    return jumpcut::to_thread([&] {
      RunOptions options = watched();
      options.name = "elsewhere";
      return run(
          [&] {
            spin(error, "task 'elsewhere'");
            return jumpcut::current_task().name();
          },
          options);
    });
  });
  CHECK(name == "elsewhere");
}
