// <jumpcut/call_graph.hpp>: who awaits whom.

#include <jumpcut/call_graph.hpp>

#include <jumpcut/gather.hpp>
#include <jumpcut/shield.hpp>
#include <jumpcut/wait.hpp>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "child.hpp"
#include "on_loop.hpp"

#include <catch2/catch.hpp>

using jumpcut::AnyTask;
using jumpcut::await;
using jumpcut::CallGraph;
using jumpcut::capture_call_graph;
using jumpcut::create_task;
using jumpcut::current_task;
using jumpcut::format_call_graph;
using jumpcut::Future;
using jumpcut::Task;

namespace {

#define NO_TAIL_CALL asm volatile("" : : : "memory")

// Not the same code, or a compiler may make one function of them.
[[gnu::noinline]] void wait_for(const Future<>& gate) {
  await(gate);
  asm volatile("" : : "i"(1) : "memory");
}

[[gnu::noinline]] void wait_for(const Task<>& task) {
  await(task);
  asm volatile("" : : "i"(2) : "memory");
}

/// "a(b(c) d)": each future, and in brackets who awaits it.
std::string shape(const CallGraph& graph) {
  std::string text = graph.future.base("shape").what();
  if (graph.future.base("shape").is_task())
    text = AnyTask(static_cast<jumpcut::impl::TaskBase*>(graph.future.ref().get())).name();
  if (graph.again) text += "...";
  if (graph.awaited_by.empty()) return text;
  text += "(";
  for (const CallGraph& awaiter : graph.awaited_by) {
    if (text.back() != '(') text += " ";
    text += shape(awaiter);
  }
  return text + ")";
}

}  // namespace

TEST_CASE("a call graph shows who awaits a future, and who awaits those") {
  on_loop([] {
    const Future<> gate;
    const auto a = create_task([&] { wait_for(gate); }, {.name = "a"});
    const auto b = create_task([&] { wait_for(a); }, {.name = "b"});
    const auto c = create_task([&] { wait_for(a); }, {.name = "c"});
    const auto d = create_task([&] { wait_for(c); }, {.name = "d"});
    ticks(2);
    CHECK(shape(*capture_call_graph(gate)) == "future(a(b c(d)))");
    CHECK(shape(*capture_call_graph(c)) == "c(d)");
    CHECK(shape(*capture_call_graph(d)) == "d");
    gate.set_result();
    await(jumpcut::gather_future(b, d));
  });
}

TEST_CASE("a call graph leads through gather, wait and shield") {
  on_loop([] {
    const Future<> gate;
    const auto leaf = create_task([&] { wait_for(gate); }, {.name = "leaf"});
    const auto other = create_task([&] { wait_for(gate); }, {.name = "other"});
    const auto all = create_task([&] { jumpcut::gather(leaf, other); }, {.name = "all"});
    const auto any = create_task([&] { jumpcut::wait(std::vector{leaf, other}); }, {.name = "any"});
    const auto safe = create_task([&] { jumpcut::shield(leaf); }, {.name = "safe"});
    ticks(2);
    CHECK(shape(*capture_call_graph(leaf)) == "leaf(gather()(all) any shield()(safe))");
    gate.set_result();
    await(all);
    await(any);
    await(safe);
  });
}

TEST_CASE("each task of a call graph comes with its stack") {
  on_loop([] {
    const Future<> gate;
    const auto a = create_task([&] { wait_for(gate); }, {.name = "a"});
    const auto b = create_task([&] { wait_for(a); }, {.name = "b"});
    ticks(2);
    const auto graph = capture_call_graph(gate);
    CHECK(graph->call_stack.empty());
    const CallGraph& first = graph->awaited_by.at(0);
    CHECK_THAT(first.call_stack.at(0).function, Catch::Contains("wait_for(jumpcut::Future<void>"));
    const CallGraph& second = first.awaited_by.at(0);
    CHECK_THAT(second.call_stack.at(0).function, Catch::Contains("wait_for(jumpcut::Task<void>"));
    gate.set_result();
    await(b);
  });
}

TEST_CASE("a call graph's limit picks the innermost calls, the outermost, or none") {
  on_loop([] {
    const Future<> gate;
    const auto task = create_task([&] { wait_for(gate); });
    ticks();
    const auto stack = [&](std::optional<int> limit) {
      return capture_call_graph(task, {.limit = limit})->call_stack;
    };
    REQUIRE(stack(std::nullopt).size() == 2);
    REQUIRE(stack(1).size() == 1);
    CHECK_THAT(stack(1)[0].function, Catch::Contains("wait_for"));
    REQUIRE(stack(-1).size() == 1);
    CHECK_THAT(stack(-1)[0].function, !Catch::Contains("wait_for"));
    CHECK(stack(0).empty());
    CHECK(stack(-9).size() == 2);
    gate.set_result();
    await(task);
  });
}

namespace {

[[gnu::noinline]] std::string innermost(std::size_t depth) {
  const auto graph = capture_call_graph({.depth = depth});
  NO_TAIL_CALL;
  return graph->call_stack.at(0).function;
}

[[gnu::noinline]] std::string ask_innermost(std::size_t depth) {
  std::string text = innermost(depth);
  NO_TAIL_CALL;
  return text;
}

}  // namespace

TEST_CASE("without a future the call graph is the running task's, from the caller on") {
  on_loop([] {
    CHECK(capture_call_graph()->future == current_task());
    CHECK_THAT(ask_innermost(1), Catch::Contains("::innermost("));
    CHECK_THAT(ask_innermost(2), Catch::Contains("::ask_innermost("));
    std::optional<bool> has_one;
    jumpcut::get_running_loop().call_soon([&] { has_one = capture_call_graph().has_value(); });
    ticks();
    CHECK(has_one == false);
  });
  CHECK_THROWS_AS(capture_call_graph(), jumpcut::RuntimeError);
}

TEST_CASE("tasks that await each other in a circle have a call graph that ends") {
  on_loop([] {
    Task<> b;
    const auto a = create_task([&] { wait_for(b); }, {.name = "a"});
    b = create_task([&] { wait_for(a); }, {.name = "b"});
    ticks();
    CHECK(shape(*capture_call_graph(a)) == "a(b(a...))");
  });
}

TEST_CASE("a call graph is cut after a hundred levels") {
  on_loop([] {
    const Future<> gate;
    std::vector<Task<>> tasks{create_task([&] { wait_for(gate); })};
    for (int i = 0; i < 200; ++i) {
      const Task<> before = tasks.back();
      tasks.push_back(create_task([before] { wait_for(before); }));
    }
    ticks();
    const auto captured = capture_call_graph(gate, {.limit = 0});
    int levels = 0;
    for (const CallGraph* graph = &*captured; !graph->awaited_by.empty(); ++levels) {
      graph = &graph->awaited_by.at(0);
    }
    CHECK(levels == 100);
    gate.set_result();
    await(tasks.back());
  });
}

TEST_CASE("format_call_graph is a tree of tasks with their stacks") {
  on_loop([] {
    const Future<> gate;
    const auto a = create_task([&] { wait_for(gate); }, {.name = "a"});
    const auto b = create_task([&] { wait_for(a); }, {.name = "b"});
    ticks(2);
    CHECK_THAT(format_call_graph(gate), Catch::Matches("\\* future\n"
                                                       "  \\+ Awaited by:\n"
                                                       "     \\* task 'a'\n"
                                                       "       \\+ Call stack:\n"
                                                       "       \\|   [^\n]*wait_for[^\n]*\n"
                                                       "       \\|   [^\n]*\n"
                                                       "       \\+ Awaited by:\n"
                                                       "          \\* task 'b'\n"
                                                       "            \\+ Call stack:\n"
                                                       "            \\|   [^\n]*wait_for[^\n]*\n"
                                                       "            \\|   [^\n]*\n"));
    CHECK(format_call_graph(b, {.limit = 0}) == "* task 'b'\n");
    gate.set_result();
    await(b);
  });
}

TEST_CASE("print_call_graph writes to standard output, or to a file") {
  const Ended ended = in_child([] {
    on_loop([] {
      jumpcut::print_call_graph({.limit = 0});
      jumpcut::print_call_graph(Future<>(), {.file = stderr});
    });
  });
  CHECK_THAT(ended.output, Catch::Contains("* task 'Task-1'\n"));
  CHECK_THAT(ended.output, Catch::Contains("* future\n"));
}

TEST_CASE("a call graph can't be had on another thread") {
  on_loop([] {
    const AnyTask task = current_task();
    bool refused = false;
    std::thread([&] {
      try {
        capture_call_graph(task);
      } catch (const jumpcut::RuntimeError&) {
        refused = true;
      }
    }).join();
    CHECK(refused);
  });
}
