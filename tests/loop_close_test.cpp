// jumpcut/loop.hpp: how a loop ends, and what outlives it.

#include <jumpcut/jumpcut.hpp>

#include "by_hand.hpp"
#include "child.hpp"
#include "log.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::sleep, jumpcut::Future, jumpcut::Loop;
using jumpcut::ErrorContext, jumpcut::RuntimeError, jumpcut::VirtualClock;

TEST_CASE("close is done once, and everything after it says that the loop is closed") {
  Loop loop;
  CHECK(!loop.is_closed());
  loop.close();
  loop.close();
  CHECK(loop.is_closed());
  CHECK_THROWS_WITH(loop.run_forever(), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.run_until_complete([] {}), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.call_soon([] {}), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.call_later(1s, [] {}), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.create_task([] {}).detach(), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.create_future<>(), Contains("the loop is closed"));
  CHECK_THROWS_WITH(loop.add_reader(0, [] {}), Contains("the loop is closed"));
  CHECK(!loop.remove_reader(0));
  int destroyed = 0;
  CHECK_THROWS_AS(loop.call_soon_threadsafe([witness = Witness(destroyed)] {}),
                  jumpcut::LoopClosed);
  CHECK(destroyed == 1);
  std::thread([&] {
    CHECK_THROWS_WITH(loop.call_soon_threadsafe([witness = Witness(destroyed)] {}),
                      Contains("the loop is closed"));
  }).join();
  CHECK(destroyed == 2);
  loop.stop();
}

TEST_CASE("a loop that runs can't be closed") {
  Loop loop;
  loop.run_until_complete(
      [&] { CHECK_THROWS_WITH(loop.close(), Contains("the loop runs; stop() it first")); });
  loop.call_soon([&] { CHECK_THROWS_AS(loop.close(), RuntimeError); });
  tick(loop);
  CHECK(!loop.is_closed());
}

TEST_CASE("close destroys each function that is queued, once, whatever holds its handle") {
  int destroyed = 0;
  VirtualClock clock;
  std::vector<jumpcut::Handle> handles;
  {
    Loop loop({.clock = &clock});
    handles.push_back(loop.call_soon([witness = Witness(destroyed)] { FAIL(); }));
    handles.push_back(loop.call_later(1s, [witness = Witness(destroyed)] { FAIL(); }));
    handles.push_back(loop.call_later(2s, [witness = Witness(destroyed)] { FAIL(); }));
    loop.call_soon_threadsafe([witness = Witness(destroyed)] { FAIL(); });
    std::thread([&] {
      loop.call_soon_threadsafe([witness = Witness(destroyed)] { FAIL(); });
    }).join();
    auto future = loop.create_future<>();
    future.add_done_callback([witness = Witness(destroyed)] { FAIL(); });
    future.set_result();
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    handles.push_back(loop.add_reader(ends[0], [witness = Witness(destroyed)] { FAIL(); }));
    handles.push_back(loop.add_writer(ends[1], [witness = Witness(destroyed)] { FAIL(); }));
    loop.close();
    CHECK(destroyed == 8);
    close(ends[0]);
    close(ends[1]);
  }
  CHECK(destroyed == 8);
  for (const auto& handle : handles) handle.cancel();
  CHECK(destroyed == 8);
}

TEST_CASE("what is destroyed at close may cancel what else is queued there") {
  int destroyed = 0;
  VirtualClock clock;
  Loop loop({.clock = &clock});
  std::vector<jumpcut::Handle> handles;
  struct CancelAll {
    std::vector<jumpcut::Handle>* handles;
    explicit CancelAll(std::vector<jumpcut::Handle>& all) : handles(&all) {}
    CancelAll(CancelAll&& other) noexcept : handles(std::exchange(other.handles, nullptr)) {}
    ~CancelAll() {
      if (handles == nullptr) return;
      for (const auto& handle : *handles) handle.cancel();
    }
  };
  for (int i = 0; i < 3; ++i) {
    handles.push_back(
        loop.call_soon([all = CancelAll(handles), witness = Witness(destroyed)] { FAIL(); }));
    handles.push_back(
        loop.call_later(1s, [all = CancelAll(handles), witness = Witness(destroyed)] { FAIL(); }));
  }
  loop.close();
  CHECK(destroyed == 6);
}

TEST_CASE("the tasks that are left at close are cancelled, and run to their end") {
  Log log;
  VirtualClock clock;
  jumpcut::Task<> sleeper;
  jumpcut::Task<> fresh;
  {
    Loop loop({.clock = &clock});
    sleeper = loop.create_task([&] {
      try {
        sleep(1h);
      } catch (const jumpcut::Cancelled& cancelled) {
        CHECK(cancelled.reason() == jumpcut::CancelReason::shutdown);
        log("cancelled");
        sleep(1s);
        log("cleaned");
        throw;
      }
    });
    tick(loop);
    fresh = loop.create_task([] { FAIL(); });
  }
  CHECK(log.text() == "cancelled cleaned");
  CHECK(sleeper.cancelled());
  CHECK(fresh.cancelled());
  CHECK(clock.now() == jumpcut::TimePoint(1s));
}

TEST_CASE("an error of a task that is ended is reported, and the others go on") {
  std::vector<std::string> told;
  VirtualClock clock;
  {
    Loop loop({.clock = &clock});
    loop.set_exception_handler(
        [&](const ErrorContext& context) { told.push_back(context.describe()); });
    for (const char* name : {"a", "b"}) {
      auto body = [name] {
        try {
          sleep(1h);
        } catch (const jumpcut::Cancelled&) {
          sleep(0s);
          throw std::runtime_error(name);
        }
      };
      loop.create_task(body, {.name = name}).detach();
    }
    tick(loop);
  }
  CHECK(told == std::vector<std::string>{
                    "unhandled exception while the loop ended its tasks, of task 'a': a",
                    "unhandled exception while the loop ended its tasks, of task 'b': b"});
}

TEST_CASE("somebody who stops the loop while it ends its tasks does not stop that") {
  VirtualClock clock;
  bool cleaned = false;
  {
    Loop loop({.clock = &clock});
    loop.create_task([&] {
          try {
            sleep(1h);
          } catch (const jumpcut::Cancelled&) {
            for (int i = 0; i < 3; ++i) {
              loop.stop();
              sleep(1s);
            }
            cleaned = true;
          }
        })
        .detach();
    tick(loop);
  }
  CHECK(cleaned);
}

TEST_CASE("close ends the generators that are left, whose clean-up may wait") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Log log;
  jumpcut::Generator<int> generator([&](jumpcut::Yield<int>& yield) {
    try {
      yield(1);
    } catch (const jumpcut::GeneratorExit&) {
      sleep(1s);
      log("cleaned");
      throw;
    }
  });
  loop.run_until_complete([&] { generator.next(); });
  CHECK(log.text().empty());
  loop.close();
  CHECK(log.text() == "cleaned");
}

TEST_CASE("tasks that refuse to end are named after shutdown_timeout, and left as they are") {
  if (sanitized) return;  // they leak
  const Ended ended = in_child([] {
    VirtualClock clock;
    {
      Loop loop({.clock = &clock, .shutdown_timeout = 3s});
      const auto body = [] {
        for (;;) {
          try {
            sleep(1h);
          } catch (const jumpcut::Cancelled&) {
          }
        }
      };
      loop.create_task(body, {.name = "stubborn"}).detach();
      tick(loop);
    }
    expect(clock.now() == jumpcut::TimePoint(3s), "the time it had");
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("a Loop is closed, but 1 task has not ended") &&
                               Contains("task 'stubborn' waits for sleep") &&
                               !Contains("parked for ever"));  // which is the same thing
}

TEST_CASE("the handle of a task that could not end outlives the loop, in debug mode too") {
  if (sanitized) return;  // it leaks
  const Ended ended = in_child([] {
    jumpcut::Task<> task;
    {
      auto loop = std::make_unique<Loop>(jumpcut::LoopOptions{.debug = true});
      task = loop->create_task([] { await(Future<int>(nullptr)); }, {.name = "left"});
      jumpcut::run([&] { loop.reset(); });  // whose tasks can't run inside another's
    }
    expect(!task.done() && task.name() == "left", "the handle's own reference is there");
    task = {};
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("1 task has not ended") && !Contains("last handle"));
}

TEST_CASE("futures and tasks outlive their loop: they can be read, and not be set") {
  Future<std::string> done(nullptr);
  Future<int> pending(nullptr);
  jumpcut::Task<int> task;
  {
    Loop loop;
    done = loop.create_future<std::string>();
    pending = loop.create_future<int>();
    done.set_result("kept");
    task = loop.create_task([] { return 3; });
    loop.run_until_complete(task);
  }
  CHECK(done.result() == "kept");
  CHECK(task.result() == 3);
  CHECK(task.name() == "Task-1");
  CHECK(!pending.done());
  CHECK_THROWS_WITH(pending.set_result(1), Contains("belongs to a loop that is closed"));
  CHECK_THROWS_WITH(pending.set_exception(std::runtime_error("no")),
                    Contains("loop that is closed"));
  CHECK_THROWS_WITH(pending.cancel(), Contains("loop that is closed"));
  CHECK_THROWS_WITH(done.add_done_callback([] {}), Contains("is closed"));
  CHECK_THROWS_AS(pending.result(), jumpcut::InvalidStateError);
  CHECK(!done.cancel());
  jumpcut::run([&] {
    CHECK(await(done) == "kept");
    CHECK(await(task) == 3);
    CHECK_THROWS_WITH(await(pending), Contains("of another loop"));
  });
}

TEST_CASE("a future's error that nobody took is reported even when its loop is gone") {
  const Ended ended = in_child([] {
    Future<> future(nullptr);
    {
      Loop loop;
      future = loop.create_future<>();
      future.set_exception(std::runtime_error("lost"));
    }
    future = Future<>(nullptr);
  });
  CHECK(ended.output == "jumpcut: Future exception was never retrieved, of future: lost\n");
}

TEST_CASE("a future's callbacks are destroyed with it, when its loop is gone too") {
  int destroyed = 0;
  Future<> future(nullptr);
  {
    Loop loop;
    future = loop.create_future<>();
    future.add_done_callback([witness = Witness(destroyed)] { FAIL(); });
  }
  CHECK(destroyed == 0);
  future = Future<>(nullptr);
  CHECK(destroyed == 1);
}

TEST_CASE("a loop that is destroyed inside another's run can't run its tasks, and drops them") {
  int destroyed = 0;
  VirtualClock clock;
  jumpcut::run(
      [&] {
        Loop loop;
        loop.create_task([witness = Witness(destroyed)] { FAIL(); }).detach();
        loop.call_soon([witness = Witness(destroyed)] { FAIL(); });
      },
      {.clock = &clock});
  CHECK(destroyed == 2);
}

TEST_CASE("a generator that its loop could not end outlives it, and does not go on") {
  const auto ended = in_child([] {
    {
      jumpcut::Generator<int> generator([](jumpcut::Yield<int>& yield) {
        for (int i = 0;; ++i) yield(i);
      });
      Loop loop;
      loop.run_until_complete([&] { generator.next(); });
      jumpcut::run([&] {
        loop.close();  // it can't run in here
        try {
          generator.next();
        } catch (const RuntimeError& error) {
          std::printf("%s\n", error.what());
        }
      });
    }
    std::fflush(stdout);
    _exit(0);  // the stack is left as it is
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("begun in a loop that is closed"));
}

TEST_CASE("a forked child can neither run its parent's loop nor harm it") {
  Loop loop;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  int reads = 0;
  loop.add_reader(ends[0], [&] { ++reads; });
  const auto owned = std::make_unique<int>(0);
  auto copy = std::make_unique<Loop>();
  copy->call_later(1h, [] {});
  copy->add_reader(ends[0], [&] {
    ++reads;
    copy->stop();
  });
  const Ended ended = in_child([&] {
    for (Loop* one : {&loop, copy.get()}) {
      try {
        one->run_forever();
        expect(false, "refused");
      } catch (const RuntimeError& error) {
        expect(std::string(error.what()).find("forked") != std::string::npos, error.what());
      }
    }
    copy.reset();
    loop.close();
    expect(loop.is_closed(), "closed");
    jumpcut::run([] { sleep(1ms); });
  });
  CHECK(ended.output.empty());
  CHECK(ended.exit_code == 0);
  REQUIRE(write(ends[1], "x", 1) == 1);
  copy->run_forever();
  tick(loop);
  CHECK(reads == 2);
  bool posted = false;
  std::thread other([&] {
    loop.call_soon_threadsafe([&] {
      posted = true;
      loop.stop();
    });
  });
  loop.remove_reader(ends[0]);
  loop.run_forever();
  other.join();
  CHECK(posted);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a forked child may close its parent's Runner") {
  const auto ended = in_child([] {
    jumpcut::Runner runner;
    runner.run([] {
      create_task([] { sleep(1h); }).detach();
      sleep(0s);
    });
    const pid_t child = fork();
    if (child == 0) {
      runner.close();
      _exit(3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 3, "it is closed");
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a child that is forked inside a task can't wait there") {
  const pid_t parent = getpid();
  Loop loop;
  int status = -1;
  try {
    loop.run_until_complete([&] {
      const pid_t child = fork();
      if (child == 0) sleep(1h);
      waitpid(child, &status, 0);
    });
  } catch (const RuntimeError& error) {
    const bool says = std::string(error.what()).find("forked while it ran") != std::string::npos;
    if (getpid() != parent) _exit(says ? 0 : 1);
    throw;
  }
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
