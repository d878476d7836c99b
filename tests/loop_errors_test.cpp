// jumpcut/loop.hpp: where errors go that nobody else can be told of.

#include <jumpcut/jumpcut.hpp>

#include "by_hand.hpp"
#include "child.hpp"

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::sleep, jumpcut::Loop, jumpcut::ErrorContext;
using jumpcut::get_running_loop, jumpcut::VirtualClock;

namespace {

std::string what(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "?";
  }
}

}  // namespace

TEST_CASE("the exception handler is told what a callback threw, by what kind of call") {
  Loop loop;
  std::vector<std::string> told;
  CHECK(!loop.get_exception_handler());
  loop.set_exception_handler(
      [&](const ErrorContext& context) { told.push_back(context.describe()); });
  CHECK(loop.get_exception_handler());
  loop.call_soon([] { throw std::runtime_error("A"); });
  loop.call_later(0s, [] { throw std::runtime_error("B"); });
  loop.call_soon_threadsafe([] { throw std::runtime_error("C"); });
  auto future = loop.create_future<>();
  future.add_done_callback([] { throw std::runtime_error("D"); });
  future.set_result();
  tick(loop);
  tick(loop);
  loop.call_exception_handler({.message = "E"});
  CHECK(told == std::vector<std::string>{
                    "Exception in call_soon: A", "Exception in call_soon_threadsafe: C",
                    "Exception in done callback: D", "Exception in call_at: B", "E"});
}

TEST_CASE("a task that fails and that nobody awaits is reported one tick later, with the task") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  static jumpcut::ContextVar<int> variable("variable", 0);
  std::vector<std::string> told;
  int seen = 0;
  loop.set_exception_handler([&](const ErrorContext& context) {
    told.push_back(context.message + ": " + what(context.exception));
    CHECK(context.future.done());
    seen = variable.get();
  });
  loop.run_until_complete([&] {
    auto task = create_task([] {
      variable.set(5);
      throw std::runtime_error("lost");
    });
    sleep(0s);
    CHECK(told.empty());
    sleep(0s);
    CHECK(told == std::vector<std::string>{"Task exception was never retrieved: lost"});
    CHECK(seen == 5);  // the handler runs in the task's context
  });
}

TEST_CASE("an exception handler may throw, and may set another one") {
  const Ended ended = in_child([] {
    Loop loop;
    loop.set_exception_handler([&](const ErrorContext&) { throw std::runtime_error("worse"); });
    loop.call_soon([] { throw std::runtime_error("bad"); });
    bool reached = false;
    loop.call_soon([&] { reached = true; });
    tick(loop);
    expect(reached, "the loop goes on");
    std::string big(1000, 'x');
    loop.set_exception_handler([&loop, big](const ErrorContext&) {
      loop.set_exception_handler(nullptr);
      expect(big == std::string(1000, 'x'), "the handler lives as long as it runs");
    });
    loop.call_exception_handler({.message = "first"});
    loop.call_exception_handler({.message = "second"});
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("the exception handler itself threw: worse") &&
                               Contains("Exception in call_soon: bad") && !Contains("first") &&
                               Contains("jumpcut: second"));
}

TEST_CASE("an exception handler may keep the future that it is told of") {
  jumpcut::run([] {
    jumpcut::AnyFuture kept;
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { kept = context.future; });
    jumpcut::Future<>().set_exception(std::runtime_error("lost"));
    const jumpcut::Future<> next;  // would be where that was
    CHECK(kept.done());
    CHECK(what(kept.exception()) == "lost");
    CHECK(!next.done());
  });
}

TEST_CASE("without a handler, standard error has the message, the future and the exception") {
  const Ended ended = in_child([] {
    Loop loop;
    loop.run_until_complete([] {
      create_task([] { throw std::runtime_error("lost"); }, {.name = "worker"}).detach();
      sleep(0s);
      sleep(0s);
      get_running_loop().call_exception_handler({});
      get_running_loop().call_exception_handler(
          {.message = "odd", .exception = std::make_exception_ptr(1)});
    });
  });
  CHECK(ended.exit_code == 0);
  CHECK(ended.output ==
        "jumpcut: Task exception was never retrieved, of task 'worker': lost\n"
        "jumpcut: unhandled exception in the loop\n"
        "jumpcut: odd: an exception of unknown type\n");
}

TEST_CASE("a task that can't get a stack in its turn fails with that, and the loop goes on") {
  if (sanitized || EMULATED) return;  // what those map counts as address space
  const Ended ended = in_child([] {
    constexpr std::size_t stack_size = std::size_t{1} << 30;
    const rlimit room{5 * stack_size / 2, 5 * stack_size / 2};
    expect(setrlimit(RLIMIT_AS, &room) == 0, "the limit");
    VirtualClock clock;
    Loop loop({.clock = &clock});
    loop.run_until_complete([] {
      std::vector<jumpcut::Task<int>> tasks;
      for (int i = 0; i < 6; ++i) {
        const auto body = [i] {
          sleep(1s);
          return i;
        };
        tasks.push_back(create_task(body, {.stack_size = stack_size}));
      }
      int done = 0;
      int refused = 0;
      for (const auto& task : tasks) {
        try {
          await(task);
          ++done;
        } catch (const jumpcut::ResourceError&) {
          ++refused;
        }
      }
      expect(done > 0 && refused > 0 && done + refused == 6, "some have a stack");
      expect(await(create_task([] { return 8; }, {.stack_size = stack_size})) == 8, "goes on");
    });
    expect(loop.stats().tasks == 0, "all are done");
  });
  CHECK_THAT(ended.output, Contains("never retrieved") && Contains("RLIMIT_AS"));
  CHECK(ended.exit_code == 0);
}
