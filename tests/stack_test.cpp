// Task::get_stack, format_stack, print_stack: where a task stands.

#include <jumpcut/frame.hpp>
#include <jumpcut/task.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "child.hpp"
#include "on_loop.hpp"

#include <catch2/catch.hpp>

using jumpcut::AnyTask;
using jumpcut::await;
using jumpcut::create_task;
using jumpcut::current_task;
using jumpcut::Frame;
using jumpcut::Future;

namespace {

#define NO_TAIL_CALL asm volatile("" : : : "memory")

[[gnu::noinline]] void wait_for(const Future<>& gate) {
  await(gate);
  NO_TAIL_CALL;
}

[[gnu::noinline]] void middle(const Future<>& gate) {
  wait_for(gate);
  NO_TAIL_CALL;
}

[[gnu::noinline]] void outer(const Future<>& gate) {
  middle(gate);
  NO_TAIL_CALL;
}

/// The functions of the stack, without what they are called with; the last is the task's lambda.
std::vector<std::string> functions(const std::vector<Frame>& frames) {
  std::vector<std::string> names;
  for (const Frame& frame : frames) {
    std::string name = frame.function;
    constexpr char place[] = "(anonymous namespace)::";
    if (auto at = name.find(place); at != name.npos) name.erase(0, at + sizeof place - 1);
    names.push_back(name.substr(0, name.find_first_of("(<")));
  }
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("get_stack of a parked task has all its calls, innermost first") {
  on_loop([] {
    const Future<> gate;
    const auto task = create_task([&] { outer(gate); });
    ticks();
    Names names = functions(task.get_stack());
    REQUIRE(names.size() == 4);
    names.pop_back();
    CHECK(names == Names{"wait_for", "middle", "outer"});
    CHECK(functions(task.get_stack(2)) == Names{"wait_for", "middle"});
    CHECK(task.get_stack(0).empty());
    gate.set_result();
    await(task);
  });
}

TEST_CASE("a frame says its function, its program and the place in it") {
  on_loop([] {
    const Future<> gate;
    const auto task = create_task([&] { outer(gate); });
    ticks();
    const Frame frame = task.get_stack().at(0);
    CHECK(frame.object == "stack_test");
    CHECK(frame.offset != 0);
    CHECK_THAT(frame.text(), Catch::Matches(".*wait_for\\(.*\\) \\(stack_test\\+0x[0-9a-f]+\\)"));
    CHECK(Frame{}.text() == "0x0");
    gate.set_result();
    await(task);
  });
}

TEST_CASE("format_stack says what a parked task waits for, and where") {
  on_loop([] {
    const Future<> gate;
    const auto task = create_task([&] { outer(gate); }, {.name = "fetch"});
    ticks();
    CHECK_THAT(task.format_stack(), Catch::Matches("task 'fetch' waits for future:\n"
                                                   "    [^\n]*wait_for[^\n]*\n"
                                                   "    [^\n]*middle[^\n]*\n"
                                                   "    [^\n]*outer[^\n]*\n"
                                                   "    [^\n]*lambda[^\n]*\n"));
    gate.set_result();
    CHECK_THAT(task.format_stack(), Catch::StartsWith("task 'fetch' is ready:\n    "));
    CHECK(functions(task.get_stack()).front() == "wait_for");
    await(task);
    CHECK(task.format_stack() == "task 'fetch' is done\n");
    CHECK(task.get_stack().empty());
  });
}

namespace {

[[gnu::noinline]] std::vector<Frame> own_stack() {
  std::vector<Frame> frames = current_task().get_stack();
  NO_TAIL_CALL;
  return frames;
}

[[gnu::noinline]] std::string own_text() {
  std::string text = current_task().format_stack();
  NO_TAIL_CALL;
  return text;
}

}  // namespace

TEST_CASE("a running task sees its own stack, from its own code on") {
  on_loop([] {
    CHECK(functions(own_stack()).front() == "own_stack");
    CHECK_THAT(own_text(), Catch::Matches("task 'Task-1' is running:\n    [^\n]*own_text[^\n]*\n"
                                          "(    [^\n]+\n)*"));
  });
}

TEST_CASE("format_stack of a task that has not begun, was cancelled, or failed, says so") {
  on_loop([] {
    const auto unstarted = create_task([] { ticks(); }, {.name = "later"});
    CHECK(unstarted.format_stack() == "task 'later' has not begun\n");
    CHECK(unstarted.get_stack().empty());
    unstarted.cancel();
    ticks();
    CHECK_THAT(unstarted.format_stack(),
               Catch::Matches("task 'later' was cancelled, asked by task 'Task-1' at [^\n]*\n"));

    const auto failed = create_task([] { throw std::runtime_error("no such row"); });
    ticks();
    CHECK(failed.format_stack() == "task '" + failed.name() + "' failed: no such row\n");
    CHECK_THROWS_AS(await(failed), std::runtime_error);
  });
}

namespace {

/// Of the running task, as one sees it that it begins inside create_task.
[[gnu::noinline]] std::string creators_text() {
  const AnyTask creator = current_task();
  std::string text;
  const auto task = create_task([&] { text = creator.format_stack(); }, {.eager_start = true});
  await(task);
  return text;
}

}  // namespace

TEST_CASE("the stack of a task that began eagerly can be had while its creator waits for it") {
  on_loop([] {
    const std::string text = creators_text();
    CHECK_THAT(text, Catch::StartsWith("task 'Task-1' is "));
    CHECK_THAT(text, Catch::Contains("creators_text("));
  });
}

TEST_CASE("print_stack writes to standard error, or to a file") {
  const Ended ended = in_child([] {
    on_loop([] {
      const auto task = create_task([] { ticks(); }, {.name = "x"});
      task.print_stack();
      task.print_stack(stdout, 1);
      await(task);
    });
  });
  CHECK(ended.output == "task 'x' has not begun\ntask 'x' has not begun\n");
}
