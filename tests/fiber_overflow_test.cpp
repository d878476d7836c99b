// A fiber that uses up its stack ends the program with its name, whatever guards it.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "child.hpp"
#include "overflows.hpp"

#include <string>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::GuardMode;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::yield;

TEST_CASE("every overflow ends with the fiber's name") {
  const auto& overflow = GENERATE(from_range(overflows.begin(), overflows.end()));
  const GuardMode mode = GENERATE(GuardMode::automatic, GuardMode::mprotect);
  INFO(overflow.name);
  const Ended ended = in_child([&] {
    Scheduler scheduler({.stacks = {.guard = mode}});
    for (int i = 0; i < 3; ++i) scheduler.spawn([] { yield(); });  // neighbours
    scheduler.spawn([&] { overflow.function(overflow.argument); },
                    {.name = "fiber of " + std::string(overflow.name)});
    scheduler.run();
  });
  if (!sanitized) CHECK(ended.signal == SIGSEGV);
  CHECK_THAT(ended.output, Contains("stack overflow in fiber 'fiber of " +
                                    std::string(overflow.name) + "': its stack of 262144 bytes"));
}

TEST_CASE("a fiber without a name is told by its number, also one that took a stack over") {
  const Ended ended = in_child([] {
    Scheduler scheduler;
    for (int i = 0; i < 41; ++i) scheduler.spawn([] {});
    scheduler.spawn([] { recurse(1'000'000); });
    scheduler.run();
  });
  CHECK_THAT(ended.output, Contains("stack overflow in fiber 'fiber-42'"));
}

TEST_CASE("an overflow may be left unnamed") {
  if (sanitized) return;
  const Ended ended = in_child([] {
    Scheduler scheduler({.name_overflows = false});
    scheduler.spawn([] { recurse(1'000'000); });
    scheduler.run();
  });
  CHECK(ended.signal == SIGSEGV);
  CHECK(ended.output.empty());
}

TEST_CASE("where a canary is all there is, parking finds an overflow, with the fiber's name") {
  const Ended ended = in_child([] {
    Scheduler scheduler({.stacks = {.guard = GuardMode::canary}});
    scheduler.spawn([] { yield(); });
    scheduler.spawn(
        [] {
          yield();
          std::byte* low = current_fiber()->stack().low;
          for (int i = 1; i <= 64; ++i) low[-i] = std::byte{1};
          yield();
          std::printf("came back\n");
        },
        {.name = "careless"});
    scheduler.run();
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Contains("stack overflow in fiber 'careless'"));
  CHECK_THAT(ended.output, !Contains("came back"));
}

TEST_CASE("fibers that stay on their stacks run under canaries as ever") {
  Scheduler scheduler({.stacks = {.guard = GuardMode::canary}});
  CHECK(scheduler.stacks().guard_mode() == GuardMode::canary);
  std::string log;
  for (char name : {'a', 'b'}) {
    scheduler.spawn([&log, name] {
      log += name;
      yield();
      log += name;
    });
  }
  CHECK(scheduler.run() == 0);
  CHECK(log == "abab");
}
