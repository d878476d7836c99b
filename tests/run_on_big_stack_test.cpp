// jumpcut/run_on_big_stack.hpp: one call on the thread's own stack.

#include <jumpcut/run_on_big_stack.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "child.hpp"

#include <memory>
#include <regex>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

using jumpcut::run_on_big_stack;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::yield;

TEST_CASE("a call that needs more stack than the fiber has succeeds on the thread's own") {
  Scheduler scheduler;
  bool matches = false;
  scheduler.spawn([&] {
    // With g++'s AddressSanitizer 5,000 need more than the thread has, 1,000 more than the fiber.
    const std::string text(sanitized ? 1000 : 5000, 'x');
    matches = run_on_big_stack([&] { return std::regex_match(text, std::regex("(x|y)*")); });
  });
  scheduler.run();
  CHECK(matches);
}

TEST_CASE("the fiber goes on at once, before others that are ready") {
  Scheduler scheduler;
  std::string log;
  scheduler.spawn([&] {
    run_on_big_stack([&] { log += 'a'; });
    log += 'b';
    yield();
    run_on_big_stack([&] { log += 'd'; });
    log += 'e';
  });
  scheduler.spawn([&] { log += 'c'; });
  scheduler.run();
  CHECK(log == "abcde");
}

TEST_CASE("its value and its exception come back to the fiber") {
  Scheduler scheduler;
  scheduler.spawn([] {
    auto pointer = run_on_big_stack([] { return std::make_unique<int>(7); });
    CHECK(*pointer == 7);
    try {
      throw std::runtime_error("outer");
    } catch (const std::exception& outer) {
      CHECK_THROWS_WITH(run_on_big_stack([]() -> int { throw std::runtime_error("inner"); }),
                        "inner");
      CHECK(std::string(outer.what()) == "outer");
    }
  });
  scheduler.run();
}

TEST_CASE("what runs there can't park, and outside a fiber it is refused") {
  Scheduler scheduler;
  scheduler.spawn([] {
    run_on_big_stack([] {
      CHECK(current_fiber() == nullptr);
      CHECK_THROWS_AS(yield(), jumpcut::RuntimeError);
    });
  });
  scheduler.run();
  CHECK_THROWS_WITH(run_on_big_stack([] {}), Catch::Contains("run_on_big_stack outside a fiber"));
}
