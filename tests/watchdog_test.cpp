// lib/fiber/watchdog.hpp: what is said of a step that holds up its loop.

#include "fiber/watchdog.hpp"

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/symbols.hpp"
#include "child.hpp"
#include "watchdog_thread.hpp"

#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using jumpcut::impl::Heartbeat;
using jumpcut::impl::Progress;
using jumpcut::impl::Stall;
using jumpcut::impl::StallTimer;
using jumpcut::lowlevel::Scheduler;
using namespace std::chrono_literals;

namespace {

std::mutex mutex;
std::vector<Stall> stalls;
std::atomic<std::size_t> reported{0};
std::atomic<unsigned> tests_begun{0};

/// On a busy machine any step may take long: only those that are meant to are noted.
void note(const Stall& stall, unsigned test) {
  const std::string text = stall.text();
  const bool is_meant = text.find("::spin(") != text.npos || text.find("_pipe(") != text.npos;
  if (stall.is_sampled && !is_meant) return;
  const std::lock_guard lock(mutex);
  if (test % 2 != tests_begun % 2) return;  // the test before may be reported late
  stalls.push_back(stall);
  reported = stalls.size();
  reported.notify_all();
}

template <unsigned test>
void note_of(const Stall& stall) {
  note(stall, test);
}

void forget() {
  const std::lock_guard lock(mutex);
  ++tests_begun;
  stalls.clear();
  reported = 0;
}

/// Does not wait, until it has been found out so often. ThreadSanitizer holds a signal back until
/// the next call that it knows.
[[gnu::noinline]] void spin(std::size_t times = 1) {
  volatile unsigned work = 0;
  while (reported < times) {
    work = work + 1;
    if (sanitized) usleep(100);
  }
  asm volatile("" : : : "memory");
}

Heartbeat watch_this_thread(std::chrono::nanoseconds threshold = 2ms) {
  return Heartbeat(
      *jumpcut::impl::this_core,
      {.threshold = threshold, .report = tests_begun % 2 == 0 ? &note_of<0> : &note_of<1>});
}

/// As a loop does it.
void run(Scheduler& scheduler, Heartbeat& heartbeat) {
  heartbeat.begin();
  scheduler.run();
  heartbeat.end();
}

}  // namespace

// These four come first: the handler is put in place once a process, and ThreadSanitizer starts no
// thread in the child of a process that has threads.

namespace {

std::atomic<int> foreign{0};

void count_foreign(int) {
  ++foreign;
}

}  // namespace

TEST_CASE("a signal that is not the watchdog's goes to the handler that was there before") {
  const Ended ended = in_child([] {
    std::signal(SIGURG, &count_foreign);
    Scheduler scheduler;
    Heartbeat heartbeat = watch_this_thread();
    std::raise(SIGURG);
    expect(foreign == 1, "the earlier handler was called");
    scheduler.spawn([] { spin(); });
    run(scheduler, heartbeat);
    expect(foreign == 1, "but not for the watchdog's signal");
    expect(sanitized || stalls.front().is_sampled, "which the watchdog's own handler took");
  });
  CHECK_THAT(ended.output, Catch::Equals(""));
  CHECK(ended.exit_code == 0);
}

TEST_CASE("nor does the watchdog's go there, should it come too late for the watchdog") {
  const Ended ended = in_child([] {
    std::signal(SIGURG, &count_foreign);
    Scheduler scheduler;
    Heartbeat heartbeat = watch_this_thread();
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGURG);
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    scheduler.spawn([] { spin(); });
    run(scheduler, heartbeat);
    expect(!stalls.front().is_sampled, "the watchdog waited for nothing");
    sigset_t pending;
    sigpending(&pending);
    expect(sigismember(&pending, SIGURG) == 1, "its signal is still to come");
    pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
    expect(foreign == 0, "it is nobody else's");
    std::raise(SIGURG);
    expect(foreign == 1, "as others are");
  });
  CHECK_THAT(ended.output, Catch::Equals(""));
  CHECK(ended.exit_code == 0);
}

TEST_CASE("the watchdog's is known where no more signals can be queued") {
  const Ended ended = in_child([] {
    std::signal(SIGURG, &count_foreign);
    const rlimit none = {};
    expect(setrlimit(RLIMIT_SIGPENDING, &none) == 0, "as if so many were queued");
    Scheduler scheduler;
    Heartbeat heartbeat = watch_this_thread();
    scheduler.spawn([] { spin(); });
    run(scheduler, heartbeat);
    expect(sanitized || stalls.front().is_sampled, "it is answered");
    expect(foreign == 0, "it is nobody else's");
  });
  CHECK_THAT(ended.output, Catch::Equals(""));
  CHECK(ended.exit_code == 0);
}

TEST_CASE("without a hook the report goes to what is standard error then") {
  if (sanitized) return;  // ThreadSanitizer holds the signal back until read() returns
  const Ended ended = in_child([] {
    Scheduler scheduler;
    Heartbeat heartbeat(*jumpcut::impl::this_core, {.threshold = 2ms});
    scheduler.spawn([] {});
    run(scheduler, heartbeat);
    expect(has_watchdog_thread(), "it is there before standard error is a pipe");
    int ends[2];
    expect(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0, "standard error is a pipe");
    std::string text;
    scheduler.spawn([&] {
      // Something slower may have come before, on a slow machine.
      while (text.find("fiber-2") == std::string::npos) {
        std::array<char, 4096> part;
        const ssize_t length = read(ends[0], part.data(), part.size());
        expect(length > 0 || errno == EINTR, "a report");
        if (length > 0) text.append(part.data(), static_cast<std::size_t>(length));
      }
    });
    run(scheduler, heartbeat);
    std::puts(text.c_str());
    std::fflush(stdout);
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("jumpcut: task 'fiber-2' has run for "));
}

TEST_CASE("a task that does not wait is reported, with what it does and what it holds up") {
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  scheduler.spawn([] { spin(); }, {.name = "chess"});
  scheduler.spawn([] {});
  scheduler.spawn([] {});
  run(scheduler, heartbeat);
  CHECK(heartbeat.stalls() >= 1);
  REQUIRE(stalls.front().is_sampled);
  const std::string text = stalls.front().text();
  CHECK_THAT(text, Catch::Matches("task 'chess' has run for [0-9.]+ s without awaiting "
                                  "\\(it holds up 2 others\\):\n(    [^\n]+\n)+"));
  CHECK_THAT(text, Catch::Contains("    (anonymous namespace)::spin(unsigned long) ("));
  CHECK_THAT(text, !Catch::Contains("run_job"));
  // A tool that holds signals back has frames of its own there.
  jumpcut::impl::Symbols symbols;
  if (!sanitized) CHECK_FALSE(symbols.find(stalls.front().sample.frames.front()).is_runtime);
}

TEST_CASE("a callback that does not return is reported as such") {
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  scheduler.call_soon([] { spin(); });
  run(scheduler, heartbeat);
  REQUIRE(stalls.front().is_sampled);
  const std::string text = stalls.front().text();
  CHECK_THAT(text,
             Catch::StartsWith("a callback, or a call on the thread's own stack, has run for "));
  CHECK_THAT(text, Catch::Contains("::spin("));
}

namespace {

int pipe_ends[2];
unsigned pipe_test = 0;

void note_in_pipe_test(const Stall& stall) {
  note(stall, pipe_test);
}

[[gnu::noinline]] ssize_t read_from_pipe() {
  char byte = 0;
  const ssize_t length = read(pipe_ends[0], &byte, 1);
  asm volatile("" : : : "memory");
  return length;
}

}  // namespace

TEST_CASE("a task that blocks in a system call is reported, and the call goes on") {
  if (sanitized) return;  // ThreadSanitizer holds the signal back until read() returns
  forget();
  pipe_test = tests_begun;
  REQUIRE(pipe(pipe_ends) == 0);
  Scheduler scheduler;
  Heartbeat heartbeat(*jumpcut::impl::this_core, {.threshold = 2ms, .report = &note_in_pipe_test});
  ssize_t length = 0;
  scheduler.spawn([&] { length = read_from_pipe(); });
  std::thread writer([] {
    reported.wait(0);
    (void)!write(pipe_ends[1], "x", 1);
  });
  run(scheduler, heartbeat);
  writer.join();
  CHECK(length == 1);
  REQUIRE(stalls.front().is_sampled);
  CHECK_THAT(stalls.front().text(), Catch::Contains("::read_from_pipe("));
  for (int end : pipe_ends) close(end);
}

TEST_CASE("a task that goes on not to wait is reported each time its time has doubled") {
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  scheduler.spawn([] { spin(4); });
  run(scheduler, heartbeat);
  const std::lock_guard lock(mutex);
  // What has no sample may be another step, that was slow to begin or to end.
  std::erase_if(stalls, [](const Stall& stall) { return !stall.is_sampled; });
  for (std::size_t i = 1; i < stalls.size(); ++i) CHECK(stalls[i].lasted > stalls[i - 1].lasted);
}

TEST_CASE("a step is too long after the threshold, after twice that, after four times") {
  StallTimer timer;
  const Progress working{1, 7};
  CHECK_FALSE(timer.look(working, 50ms, 100ms));  // when it began is not known
  CHECK_FALSE(timer.look(working, 50ms, 100ms));
  CHECK(timer.look(working, 50ms, 100ms));
  CHECK(timer.is_first_report());
  CHECK(timer.lasted() == 100ms);
  CHECK_FALSE(timer.look(working, 50ms, 100ms));
  CHECK(timer.look(working, 50ms, 100ms));
  CHECK_FALSE(timer.is_first_report());
  CHECK_FALSE(timer.look(working, 100ms, 100ms));
  CHECK(timer.look(working, 100ms, 100ms));
}

TEST_CASE("a loop that gets on, or that sleeps, is not held up") {
  StallTimer timer;
  for (std::uint64_t step = 0; step < 10; ++step) CHECK_FALSE(timer.look({1, step}, 90ms, 100ms));
  for (std::uint64_t turn = 1; turn < 20; turn += 2) {
    CHECK_FALSE(timer.look({turn, 9}, 90ms, 100ms));  // has slept meanwhile
  }
  for (int i = 0; i < 10; ++i) CHECK_FALSE(timer.look({20, 9}, 90ms, 100ms));  // sleeps
  CHECK_FALSE(timer.look({21, 9}, 90ms, 100ms));
}

TEST_CASE("what one loop does is not said of another that sleeps") {
  forget();
  Scheduler scheduler;
  Heartbeat idle = watch_this_thread();
  idle.begin();
  idle.end();
  std::thread other([] {
    Scheduler there;
    Heartbeat heartbeat = watch_this_thread();
    there.spawn([] { spin(3); }, {.name = "elsewhere"});
    run(there, heartbeat);
  });
  other.join();
  CHECK(idle.stalls() == 0);
  for (const Stall& stall : stalls) CHECK(stall.sample.name == "elsewhere");
}

TEST_CASE("the watchdog rests while no loop works, and comes when one does") {
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  run(scheduler, heartbeat);
  while (!Heartbeat::is_watchdog_resting()) sched_yield();
  scheduler.spawn([] { spin(); });
  run(scheduler, heartbeat);
  CHECK(heartbeat.stalls() >= 1);
}

TEST_CASE("where the stack of a stuck step can't be had, the report says so") {
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGURG);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  scheduler.spawn([] { spin(); });
  run(scheduler, heartbeat);
  CHECK_FALSE(stalls.front().is_sampled);
  CHECK_THAT(stalls.front().text(), Catch::Contains("SIGURG is blocked"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("JUMPCUT_WATCHDOG=off and a threshold of zero leave the watchdog out") {
  const Ended ended = in_child([] {
    Scheduler scheduler;
    {
      Heartbeat unwatched(*jumpcut::impl::this_core, {.threshold = 0s});
      run(scheduler, unwatched);
    }
    setenv("JUMPCUT_WATCHDOG", "off", 1);
    Heartbeat heartbeat = watch_this_thread();
    run(scheduler, heartbeat);
    expect(!has_watchdog_thread(), "no thread was started");
  });
  CHECK_THAT(ended.output, Catch::Equals(""));
  CHECK(ended.exit_code == 0);
}

TEST_CASE("the watchdog's thread has a name") {
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  run(scheduler, heartbeat);
  CHECK(has_watchdog_thread());
}

TEST_CASE("the watchdog's thread keeps none of the program's descriptors") {
  constexpr unsigned pidfd_getfd = 438;
  constexpr unsigned close_range = 436;
  const bool is_possible = syscall(pidfd_getfd, -1, 0, 0u) < 0 && errno == EBADF &&
                           syscall(close_range, ~0u, ~0u, 0u) == 0;
  if (sanitized || !PLAIN_BUILD || !is_possible) return;
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  run(scheduler, heartbeat);
  REQUIRE(has_watchdog_thread());
  while (!Heartbeat::is_watchdog_resting()) sched_yield();  // to report, it opens some for a while
  CHECK(watchdog_descriptors() == 0);
}

TEST_CASE("a forked child has a watchdog of its own") {
  if (sanitized || !PLAIN_BUILD) return;  // nor can an emulator fork a process that has threads
  forget();
  Scheduler scheduler;
  Heartbeat heartbeat = watch_this_thread();
  run(scheduler, heartbeat);
  REQUIRE(has_watchdog_thread());
  const Ended ended = in_child([&] {
    expect(!has_watchdog_thread(), "the thread is the parent's");
    scheduler.spawn([] { spin(); });
    run(scheduler, heartbeat);
    expect(has_watchdog_thread(), "a thread was started");
  });
  CHECK_THAT(ended.output, Catch::Equals(""));
  CHECK(ended.exit_code == 0);
  CHECK(heartbeat.stalls() == 0);
}
