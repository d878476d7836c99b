// jumpcut/lowlevel/scheduler.hpp: fibers begin, park, go on and end, in the order of the queue.

#include <jumpcut/lowlevel/scheduler.hpp>

#include <jumpcut/lowlevel/park.hpp>

#include <cfenv>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::RuntimeError;
using jumpcut::ValueError;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::Fiber;
using jumpcut::lowlevel::park;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::spawn;
using jumpcut::lowlevel::Wait;
using jumpcut::lowlevel::wake;
using jumpcut::lowlevel::yield;

namespace {

/// A scheduler of which nothing may be left: no fiber alive, every stack given back.
struct Clean {
  Scheduler scheduler;
  ~Clean() {
    CHECK(scheduler.alive_count() == 0);
    CHECK(scheduler.stacks().statistics().in_use == 0);
  }
};

}  // namespace

TEST_CASE("fibers run in the order in which they were spawned, and not before run()") {
  Clean clean;
  std::string log;
  clean.scheduler.spawn([&] { log += 'a'; });
  clean.scheduler.spawn([&] { log += 'b'; });
  CHECK(log.empty());
  CHECK(clean.scheduler.run() == 0);
  CHECK(log == "ab");
}

TEST_CASE("yield lets all that is ready go first") {
  Clean clean;
  std::string log;
  for (char name : {'a', 'b', 'c'}) {
    clean.scheduler.spawn([&log, name] {
      for (int i = 0; i < 3; ++i) {
        log += name;
        yield();
      }
    });
  }
  clean.scheduler.run();
  CHECK(log == "abcabcabc");
}

TEST_CASE("callbacks and fibers share one queue") {
  Clean clean;
  std::string log;
  clean.scheduler.call_soon([&] { log += '1'; });
  clean.scheduler.spawn([&] {
    CHECK(current_fiber() != nullptr);
    log += '2';
    Scheduler::current().call_soon([&] {
      CHECK(current_fiber() == nullptr);
      log += '4';
    });
    yield();
    log += '5';
  });
  clean.scheduler.call_soon([&] { log += '3'; });
  clean.scheduler.run();
  CHECK(log == "12345");
}

TEST_CASE("a tick runs what is ready when it begins, and no more") {
  Clean clean;
  std::string log;
  clean.scheduler.spawn([&] {
    log += 'a';
    spawn([&] { log += 'c'; });
    yield();
    log += 'd';
  });
  clean.scheduler.spawn([&] { log += 'b'; });
  clean.scheduler.run_tick();
  CHECK(log == "ab");
  CHECK(clean.scheduler.ready_count() == 2);
  clean.scheduler.run_tick();
  CHECK(log == "abcd");
}

TEST_CASE("a parked fiber goes on behind what was ready before it was woken") {
  Clean clean;
  std::string log;
  Wait wait;
  clean.scheduler.spawn([&] {
    park(wait);
    log += 'w';
  });
  clean.scheduler.spawn([&] {
    spawn([&] { log += 'x'; });
    CHECK(wake(wait));
    log += 'a';
  });
  clean.scheduler.run();
  CHECK(log == "axw");
}

TEST_CASE("a wait completes once, before it is parked on or after") {
  Clean clean;
  Wait early;
  CHECK(wake(early));
  CHECK_FALSE(wake(early));
  CHECK(early.is_woken());
  Wait late;
  int rounds = 0;
  clean.scheduler.spawn([&] {
    park(early);  // does not stop
    park(late);
    ++rounds;
  });
  CHECK(clean.scheduler.run() == 1);
  CHECK(late.fiber() != nullptr);
  CHECK(wake(late));
  CHECK_FALSE(wake(late));
  CHECK(clean.scheduler.run() == 0);
  CHECK(rounds == 1);
}

TEST_CASE("two fibers can't park on one wait") {
  Clean clean;
  Wait wait;
  std::string message;
  clean.scheduler.spawn([&] { park(wait); }, {.name = "first"});
  clean.scheduler.spawn([&] {
    try {
      park(wait);
    } catch (const RuntimeError& error) {
      message = error.what();
    }
    wake(wait);
  });
  clean.scheduler.run();
  CHECK_THAT(message, Catch::Contains("fiber 'first' is parked on this Wait already"));
}

TEST_CASE("states, names and stacks can be asked for") {
  Clean clean;
  Wait wait;
  Fiber* named = nullptr;
  clean.scheduler.spawn(
      [&] {
        named = current_fiber();
        CHECK(named->state() == Fiber::State::running);
        CHECK(&named->scheduler() == &Scheduler::current());
        park(wait);
      },
      {.name = "worker"});
  clean.scheduler.spawn([&] {
    CHECK(named->name() == "worker");
    CHECK(named->state() == Fiber::State::parked);
    CHECK(current_fiber()->name() == "fiber-2");
    CHECK(named->stack().low < named->stack().top);
    std::vector<std::string> all;
    Scheduler::current().for_each_fiber([&](Fiber& fiber) { all.push_back(fiber.name()); });
    CHECK(all == std::vector<std::string>{"fiber-2", "worker"});
    wake(wait);
    CHECK(named->state() == Fiber::State::ready);
  });
  clean.scheduler.run();
}

TEST_CASE("a fiber may ask for a stack of its own size") {
  Clean clean;
  std::size_t usual = 0;
  std::size_t large = 0;
  const auto measure = [](std::size_t& size) {
    const auto& stack = current_fiber()->stack();
    size = static_cast<std::size_t>(stack.top - stack.low);
  };
  clean.scheduler.spawn([&] { measure(usual); });
  clean.scheduler.spawn([&] { measure(large); }, {.stack_size = 1000 * 1000});
  clean.scheduler.run();
  CHECK(usual > 250 * 1024);
  CHECK(large > 1000 * 1000);
  CHECK_THROWS_WITH(clean.scheduler.spawn([] {}, {.stack_size = 1}), Catch::Contains("stack"));
  CHECK_THROWS_AS(clean.scheduler.spawn([] {}, {.stack_size = std::size_t{1} << 62}), ValueError);
}

TEST_CASE("a stack below the minimum is refused, also where a pool of the next size is there") {
  Clean clean;
  const std::size_t least = jumpcut::lowlevel::StackPool::min_stack_size();
  clean.scheduler.spawn([] {}, {.stack_size = least});
  CHECK_THROWS_AS(clean.scheduler.spawn([] {}, {.stack_size = least - 1}), ValueError);
  clean.scheduler.run();
}

TEST_CASE("jobs and callbacks that never started are destroyed with their scheduler") {
  const auto kept = std::make_shared<int>(1);
  {
    Scheduler scheduler;
    scheduler.spawn([kept] {}, {.name = "a name that is copied"});
    scheduler.call_soon([kept] {});
    CHECK(kept.use_count() == 3);
  }
  CHECK(kept.use_count() == 1);
}

TEST_CASE("jobs that never park run one after another on one stack") {
  Clean clean;
  std::vector<const void*> tops;
  for (int i = 0; i < 100; ++i) {
    clean.scheduler.spawn([&] { tops.push_back(current_fiber()->stack().top); });
  }
  clean.scheduler.run();
  CHECK(std::vector<const void*>(100, tops[0]) == tops);
}

TEST_CASE("a job that comes upon another's stack has none of its rounding mode") {
  Clean clean;
  int mode = -1;
  clean.scheduler.spawn([&] {
    yield();  // the other job ends, and its stack is kept for the next
    spawn([&] { mode = std::fegetround(); });
    yield();
  });
  clean.scheduler.spawn([] { std::fesetround(FE_DOWNWARD); });
  clean.scheduler.run();
  CHECK(mode == FE_TONEAREST);
}

TEST_CASE("an exception from a callback comes out of run(), and nothing is lost") {
  Clean clean;
  std::string log;
  clean.scheduler.spawn([&] { log += 'a'; });
  clean.scheduler.call_soon([] { throw std::runtime_error("from the callback"); });
  clean.scheduler.spawn([&] { log += 'b'; });
  CHECK_THROWS_WITH(clean.scheduler.run(), "from the callback");
  CHECK(log == "a");
  clean.scheduler.run();
  CHECK(log == "ab");
}

TEST_CASE("a tick that an exception cut short is gone on with, and not begun anew") {
  Clean clean;
  std::string log;
  clean.scheduler.call_soon([&] {
    log += 'a';
    clean.scheduler.call_soon([&] { log += 'c'; });
    throw std::runtime_error("from the callback");
  });
  clean.scheduler.call_soon([&] { log += 'b'; });
  CHECK_THROWS_WITH(clean.scheduler.run_tick(), "from the callback");
  clean.scheduler.run_tick();
  CHECK(log == "ab");
  clean.scheduler.run_tick();
  CHECK(log == "abc");
}

TEST_CASE("what can't be done here is refused by name") {
  Wait wait;
  CHECK_THROWS_WITH(park(wait), Catch::Contains("park outside a fiber"));
  CHECK_THROWS_WITH(yield(), Catch::Contains("yield outside a fiber"));
  CHECK_THROWS_WITH(Scheduler::current(), Catch::Contains("no scheduler"));
  CHECK(current_fiber() == nullptr);

  Clean clean;
  CHECK_THROWS_WITH(Scheduler(), Catch::Contains("has a scheduler already"));
  CHECK_THROWS_AS(clean.scheduler.spawn(static_cast<void (*)()>(nullptr)), ValueError);
  CHECK_THROWS_AS(clean.scheduler.call_soon(static_cast<void (*)()>(nullptr)), ValueError);
  clean.scheduler.call_soon([] { CHECK_THROWS_WITH(yield(), Catch::Contains("outside a fiber")); });
  clean.scheduler.spawn([] {
    CHECK_THROWS_WITH(Scheduler::current().run(), Catch::Contains("runs already"));
    CHECK_THROWS_WITH(current_fiber()->run_on_top([](void*) noexcept {}, nullptr),
                      Catch::Contains("is running"));
  });
  clean.scheduler.run();
}

TEST_CASE("a fiber is woken and run on its own thread only") {
  Clean clean;
  Wait wait;
  clean.scheduler.spawn([&] { park(wait); }, {.name = "mine"});
  clean.scheduler.run();
  std::string from_wake;
  std::string from_run;
  std::thread([&] {
    try {
      wake(wait);
    } catch (const RuntimeError& error) {
      from_wake = error.what();
    }
    try {
      clean.scheduler.run();
    } catch (const RuntimeError& error) {
      from_run = error.what();
    }
  }).join();
  CHECK_THAT(from_wake, Catch::Contains("fiber 'mine' belongs to the scheduler of another thread"));
  CHECK_THAT(from_run, Catch::Contains("belongs to another thread"));
  wake(wait);
  clean.scheduler.run();
}

TEST_CASE("each thread may have a scheduler") {
  std::vector<std::thread> threads;
  std::vector<int> sums(4);
  for (int& sum : sums) {
    threads.emplace_back([&sum] {
      Scheduler scheduler;
      for (int i = 0; i < 100; ++i) {
        scheduler.spawn([&sum, i] {
          yield();
          sum += i;
        });
      }
      scheduler.run();
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(sums == std::vector<int>(4, 4950));
}
