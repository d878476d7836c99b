// jumpcut/loop.hpp and jumpcut/handle.hpp: what is called when, what stops a loop, and what misuse
// gets.

#include <jumpcut/jumpcut.hpp>

#include "by_hand.hpp"
#include "child.hpp"
#include "log.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::sleep, jumpcut::Future, jumpcut::Loop;
using jumpcut::get_running_loop, jumpcut::RuntimeError, jumpcut::VirtualClock;

TEST_CASE("call_soon calls in order, once each, with a move-only function") {
  Loop loop;
  Log log;
  loop.call_soon([&, owned = std::make_unique<int>(1)] { log(std::to_string(*owned)); });
  loop.call_soon([&] { log("2"); });
  tick(loop);
  tick(loop);
  CHECK(log.text() == "1 2");
}

TEST_CASE("call_at and call_later call in the order of their times, equal ones in theirs") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Log log;
  const auto start = loop.time();
  for (int i = 0; i < 6; ++i) {
    const auto handle = loop.call_at(start + 2s, [&, i] { log(std::to_string(i)); });
    CHECK(handle.when() == start + 2s);
  }
  CHECK(loop.call_later(1s, [&] { log("first"); }).when() == start + 1s);
  loop.call_later(3s, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(log.text() == "first 0 1 2 3 4 5");
  CHECK(loop.time() == start + 3s);
}

TEST_CASE("a handle's cancel keeps the call from being made, and destroys the function at once") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  int destroyed = 0;
  const auto soon = loop.call_soon([witness = Witness(destroyed)] { FAIL(); });
  const auto later = loop.call_later(1s, [witness = Witness(destroyed)] { FAIL(); });
  CHECK(!soon.cancelled());
  CHECK(loop.stats().timers == 1);
  soon.cancel();
  CHECK(destroyed == 1);
  later.cancel();
  CHECK(destroyed == 2);
  CHECK(loop.stats().timers == 0);
  soon.cancel();
  later.cancel();
  CHECK((soon.cancelled() && later.cancelled()));
  tick(loop);
  CHECK(destroyed == 2);
}

TEST_CASE("a callback that was made ready earlier in the tick can cancel one behind it") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Log log;
  jumpcut::Handle victim;
  jumpcut::TimerHandle due;
  int destroyed = 0;
  loop.call_soon([&] {
    log("first");
    victim.cancel();
  });
  victim = loop.call_soon([&, witness = Witness(destroyed)] { log("victim"); });
  loop.call_later(0s, [&] {
    log("timer");
    due.cancel();
  });
  due = loop.call_later(0s, [&, witness = Witness(destroyed)] { log("due"); });
  tick(loop);
  tick(loop);
  CHECK(log.text() == "first timer");
  CHECK(destroyed == 2);
}

TEST_CASE("a callback may cancel its own handle while it runs, and go on using what it holds") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  int destroyed = 0;
  int runs = 0;
  jumpcut::Handle soon;
  jumpcut::TimerHandle later;
  soon = loop.call_soon([&, witness = Witness(destroyed), text = std::string(100, 'x')] {
    soon.cancel();
    runs += text == std::string(100, 'x') && destroyed == 0;
  });
  tick(loop);
  CHECK((runs == 1 && destroyed == 1));
  later = loop.call_later(0s, [&, witness = Witness(destroyed), text = std::string(100, 'x')] {
    later.cancel();
    runs += text == std::string(100, 'x') && destroyed == 1;
  });
  tick(loop);
  CHECK((runs == 2 && destroyed == 2));
  CHECK((soon.cancelled() && later.cancelled()));
}

TEST_CASE("a function is destroyed when it has run, though its handle lives on") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  int destroyed = 0;
  const auto soon = loop.call_soon([witness = Witness(destroyed)] {});
  const auto later = loop.call_later(0s, [witness = Witness(destroyed)] {});
  loop.call_soon_threadsafe([witness = Witness(destroyed)] {});
  tick(loop);
  CHECK(destroyed == 3);
  CHECK(!soon.cancelled());
  soon.cancel();
  later.cancel();
  CHECK(destroyed == 3);
}

TEST_CASE("a handle of nothing is empty, and its cancel does nothing") {
  const jumpcut::TimerHandle none;
  CHECK(!none);
  CHECK(!none.cancelled());
  CHECK(none.when() == jumpcut::TimePoint());
  none.cancel();
}

TEST_CASE("a null function is refused where it is given") {
  Loop loop;
  void (*none)() = nullptr;
  CHECK_THROWS_AS(loop.call_soon(none), jumpcut::ValueError);
  CHECK_THROWS_AS(loop.call_later(1s, none), jumpcut::ValueError);
  CHECK_THROWS_AS(loop.call_soon_threadsafe(none), jumpcut::ValueError);
  CHECK_THROWS_AS(loop.add_reader(0, none), jumpcut::ValueError);
  CHECK_THROWS_AS(loop.run_until_complete(none), jumpcut::ValueError);
  CHECK(loop.stats().ready == 0);
}

TEST_CASE("stop before run_forever makes it one tick that does not wait") {
  Loop loop;
  Log log;
  loop.call_later(1h, [&] { log("late"); });
  loop.call_soon([&] {
    log("a");
    loop.call_soon([&] { log("b"); });
  });
  tick(loop);
  CHECK(log.text() == "a");
  CHECK(!loop.is_running());
  tick(loop);
  CHECK(log.text() == "a b");
}

TEST_CASE("a stop asked for before a run that throws is forgotten") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  CHECK_THROWS_AS(loop.run_forever(), jumpcut::Deadlock);
  bool ran = false;
  loop.call_later(1s, [&] {
    ran = true;
    loop.stop();
  });
  loop.run_forever();
  CHECK(ran);
  CHECK_THROWS_AS(loop.run_forever(), jumpcut::Deadlock);
}

TEST_CASE("run_until_complete returns the value, or throws the very exception") {
  Loop loop;
  CHECK(loop.run_until_complete([] { return 5; }) == 5);
  CHECK(*loop.run_until_complete([] { return std::make_unique<int>(6); }) == 6);
  loop.run_until_complete([] {});
  CHECK_THROWS_WITH(loop.run_until_complete([]() -> int { throw std::runtime_error("no"); }), "no");
  auto future = loop.create_future<std::string>();
  loop.call_soon([=] { future.set_result("done"); });
  CHECK(loop.run_until_complete(future) == "done");
  CHECK(loop.run_until_complete(future) == "done");
  auto cancelled = loop.create_future<>();
  cancelled.cancel("enough");
  CHECK_THROWS_AS(loop.run_until_complete(cancelled), jumpcut::Cancelled);
}

TEST_CASE("run_until_complete that is stopped before says so, and the task goes on next time") {
  Loop loop;
  auto future = loop.create_future<>();
  auto task = loop.create_task([&] {
    await(future);
    return 7;
  });
  loop.call_soon([&] { loop.stop(); });
  CHECK_THROWS_WITH(loop.run_until_complete(task),
                    Contains("stopped before task 'Task-1' was done"));
  CHECK(!task.done());
  future.set_result();
  CHECK(loop.run_until_complete(task) == 7);
}

TEST_CASE("a task that stops the loop and ends leaves nothing behind that stops the next run") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  CHECK(loop.run_until_complete([&] {
    loop.stop();
    return 1;
  }) == 1);
  Log log;
  loop.call_later(1s, [&] {
    log("late");
    loop.stop();
  });
  loop.run_forever();
  CHECK(log.text() == "late");
}

TEST_CASE("a loop can't run inside a loop, its own or another, in a task or a callback") {
  Loop loop;
  Loop other;
  Log log;
  const auto attempt = [&](auto&& function) {
    try {
      function();
      log("ran");
    } catch (const RuntimeError& error) {
      CHECK_THAT(error.what(), Contains("a loop runs in this thread already"));
      log("no");
    }
  };
  const auto attempt_all = [&] {
    for (Loop* one : {&loop, &other}) {
      attempt([&] { one->run_forever(); });
      attempt([&] { one->run_until_complete([] {}); });
    }
    attempt([] { jumpcut::run([] {}); });
    jumpcut::Runner runner;
    attempt([&] { runner.run([] {}); });
  };
  loop.call_soon(attempt_all);
  loop.run_until_complete(attempt_all);
  CHECK(log.text() == "no no no no no no no no no no no no");
  CHECK(loop.stats().tasks == 0);
  CHECK(other.stats().tasks == 0);
}

TEST_CASE("a loop runs on the thread that made it, and is closed there") {
  Loop loop;
  std::vector<std::string> texts;
  std::thread([&] {
    const auto attempt = [&](auto&& function) {
      try {
        function();
      } catch (const RuntimeError& error) {
        texts.push_back(error.what());
      }
    };
    attempt([&] { loop.run_forever(); });
    attempt([&] { loop.run_until_complete([] {}); });
    attempt([&] { loop.close(); });
    attempt([&] { loop.add_reader(0, [] {}); });
    attempt([&] { loop.remove_reader(0); });
    attempt([&] { static_cast<void>(loop.create_future<>()); });
  }).join();
  CHECK(texts.size() == 6);
  for (const std::string& text : texts) CHECK_THAT(text, Contains("belongs to"));
  CHECK(!loop.is_closed());
}

TEST_CASE("two loops of a thread run one after the other, each with its own queues") {
  Loop first;
  Loop second;
  Log log;
  first.call_soon([&] {
    CHECK(&get_running_loop() == &first);
    log("first");
  });
  second.call_soon([&] {
    CHECK(&get_running_loop() == &second);
    log("second");
  });
  tick(second);
  tick(first);
  CHECK(log.text() == "second first");
  CHECK(first.run_until_complete([] { return 1; }) + second.run_until_complete([] { return 2; }) ==
        3);
  CHECK_THROWS_AS(get_running_loop(), RuntimeError);
}

TEST_CASE("a future of another loop can be neither awaited nor run for") {
  Loop first;
  Loop second;
  auto future = first.create_future<int>();
  CHECK_THROWS_WITH(second.run_until_complete(future), Contains("another loop"));
  CHECK_THROWS_WITH(second.run_until_complete([&] { await(future); }), Contains("another loop"));
  future.set_result(1);
  CHECK(second.run_until_complete([&] { return await(future); }) == 1);
}

TEST_CASE("what needs a running loop says so where none runs") {
  CHECK_THROWS_WITH(get_running_loop(), Contains("no loop runs in this thread"));
  CHECK_THROWS_WITH(create_task([] {}).detach(), Contains("no loop runs in this thread"));
  CHECK_THROWS_WITH(Future<>(), Contains("no loop runs in this thread"));
  CHECK_THROWS_WITH(jumpcut::all_tasks(), Contains("no loop runs in this thread"));
  CHECK_THROWS_WITH(sleep(1s), Contains("sleep outside a task"));
  CHECK(!jumpcut::current_task());
}

TEST_CASE("debug mode is an option, a call, or the environment's") {
  CHECK(!Loop().get_debug());
  CHECK(Loop({.debug = true}).get_debug());
  Loop loop;
  loop.set_debug(true);
  CHECK(loop.get_debug());
  jumpcut::run([] { CHECK(get_running_loop().get_debug()); }, {.debug = true});
  CHECK(in_child([] {
          setenv("JUMPCUT_DEBUG", "1", 1);
          expect(Loop().get_debug(), "on");
          setenv("JUMPCUT_DEBUG", "0", 1);
          expect(!Loop().get_debug(), "off");
          setenv("JUMPCUT_SEED", "many", 1);
          try {
            Loop refused;
            expect(false, "refused");
          } catch (const jumpcut::ValueError&) {
          }
        }).exit_code == 0);
}

TEST_CASE("stats tell how much is in the three queues") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  loop.run_until_complete([&] {
    auto sleeper = create_task([] { sleep(1s); });
    auto fresh = create_task([] {});
    loop.call_soon([] {});
    CHECK(loop.stats().ready == 3);
    CHECK(loop.stats().timers == 0);
    CHECK(loop.stats().tasks == 3);
    sleep(0s);
    CHECK(loop.stats().ready == 0);
    CHECK(loop.stats().timers == 1);
    CHECK(loop.stats().tasks == 2);
    await(sleeper);
    CHECK(loop.stats().timers == 0);
    CHECK(loop.stats().tasks == 1);
    CHECK(loop.stats().io == 0);
  });
}

namespace {

std::string shuffled(std::uint64_t seed) {
  VirtualClock clock;
  Loop loop({.clock = &clock, .seed = seed});
  Log log;
  std::vector<jumpcut::Handle> victims;
  for (int i = 0; i < 20; ++i) {
    loop.call_soon([&, i] { log(std::to_string(i)); });
    loop.call_later(0s, [&, i] { log("t" + std::to_string(i)); });
    auto task = loop.create_task([&, i] {
      sleep(0s);
      log("T" + std::to_string(i));
      sleep(1s);
      log("S" + std::to_string(i));
    });
    task.detach();
  }
  for (int i = 0; i < 20; ++i) {
    victims.push_back(loop.call_later(0s, [&] {
      log("kill");
      for (auto& victim : victims) victim.cancel();
    }));
  }
  loop.call_later(2s, [&] { loop.stop(); });
  loop.run_forever();
  return log.text();
}

}  // namespace

TEST_CASE("a seed shuffles what is ready: the same the same way, others otherwise") {
  const std::string first = shuffled(1);
  CHECK(first == shuffled(1));
  CHECK(first != shuffled(2));
  CHECK(first.size() == shuffled(2).size());
  CHECK(first.find("kill") == first.rfind("kill"));
  CHECK_THAT(first, Contains("S19") && Contains("t0") && Contains("T7"));
  CHECK(in_child([&] {
          setenv("JUMPCUT_SEED", "7", 1);
          VirtualClock clock;
          Loop loop({.clock = &clock});
          Log log;
          for (int i = 0; i < 10; ++i) loop.call_soon([&, i] { log(std::to_string(i)); });
          tick(loop);
          expect(log.text() != "0 1 2 3 4 5 6 7 8 9", "shuffled");
        }).exit_code == 0);
}

TEST_CASE("an eager loop runs a new task at once, but not while nobody runs it") {
  Loop loop({.eager = true});
  Log log;
  auto early = loop.create_task([&] { log("early"); });
  CHECK(log.text().empty());
  loop.run_until_complete([&] {
    create_task([&] { log("at once"); }).detach();
    log("main");
  });
  CHECK(log.text() == "early at once main");
  CHECK(early.done());
}
