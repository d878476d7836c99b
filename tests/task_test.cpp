// jumpcut/task.hpp: when a task runs, what it is called, and how it ends.

#include <jumpcut/task.hpp>

#include <jumpcut/context.hpp>
#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::all_tasks;
using jumpcut::AnyFuture;
using jumpcut::AnyTask;
using jumpcut::ContextVar;
using jumpcut::copy_context;
using jumpcut::create_task;
using jumpcut::current_task;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::InvalidStateError;
using jumpcut::Loop;
using jumpcut::LoopOptions;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::TaskOptions;
using jumpcut::ValueError;

namespace {

const TaskOptions eager{.name = {}, .stack_size = 0, .eager_start = true, .context = nullptr};

}  // namespace

TEST_CASE("create_task makes the task ready and lets the caller go on") {
  on_loop([] {
    std::string order = "before ";
    const auto a = create_task([&] { order += "a "; });
    const auto b = create_task([&] { order += "b "; });
    order += "after ";
    await(a), await(b);
    CHECK(order == "before after a b ");
  });
}

TEST_CASE("a task is a future of what its function returns") {
  on_loop([] {
    const auto task = create_task([] { return std::string("value"); });
    CHECK(!task.done());
    CHECK_THROWS_AS(task.result(), InvalidStateError);
    CHECK(await(task) == "value");
    CHECK(task.done());
    CHECK(task.result() == "value");
    CHECK(task.exception() == nullptr);
  });
}

TEST_CASE("a task throws what its function threw, each time it is awaited") {
  on_loop([] {
    const auto task = create_task([]() -> int { throw std::runtime_error("bad"); });
    CHECK_THROWS_WITH(await(task), "bad");
    CHECK_THROWS_WITH(await(task), "bad");
    CHECK_THROWS_WITH(task.result(), "bad");
    CHECK(!task.cancelled());
    CHECK(task.state() == AnyTask::State::finished);
  });
}

TEST_CASE("calling a function runs it here and now, in no task of its own") {
  on_loop([] {
    const AnyTask caller = current_task();
    const auto function = [&] {
      CHECK(current_task() == caller);
      return 5;
    };
    CHECK(function() == 5);
    CHECK(all_tasks().size() == 1);
  });
}

TEST_CASE("who awaits a task goes on a tick after it has ended") {
  on_loop([] {
    std::string order;
    const auto task = create_task([&] {
      get_running_loop().call_soon([&] { order += 'q'; });
      order += 't';
    });
    await(task);
    order += 'w';
    CHECK(order == "tqw");
  });
}

TEST_CASE("await of a task that is done does not switch") {
  on_loop([] {
    const auto task = create_task([] { return 1; });
    ticks(1);
    bool ran = false;
    get_running_loop().call_soon([&] { ran = true; });
    CHECK(await(task) == 1);
    CHECK(!ran);
    ticks(1);
    CHECK(ran);
  });
}

TEST_CASE("five tasks that await each other in a chain take ten ticks") {
  on_loop([] {
    std::function<int(int)> chain = [&](int depth) {
      return depth == 0 ? 0 : await(create_task([&, depth] { return chain(depth - 1); })) + 1;
    };
    const auto begin = get_running_loop().stats().ticks;
    CHECK(chain(5) == 5);
    CHECK(get_running_loop().stats().ticks - begin == 10);
  });
}

TEST_CASE("a task has a number for a name, unless it is given another") {
  on_loop([] {
    CHECK(current_task().name() == "Task-1");
    const auto a = create_task([] {});
    const auto b = create_task([] {}, {.name = "b"});
    const auto c = create_task([] {});
    CHECK(a.name() == "Task-2");
    CHECK(b.name() == "b");
    CHECK(c.name() == "Task-4");
    c.set_name("renamed");
    CHECK(c.name() == "renamed");
    await(c);
    CHECK(c.name() == "renamed");
  });
}

TEST_CASE("each loop numbers its tasks from one") {
  for (int i = 0; i < 2; ++i) {
    on_loop([] { CHECK(current_task().name() == "Task-1"); });
  }
}

TEST_CASE("current_task is the task that runs, and none in a callback or outside a loop") {
  CHECK(!current_task());
  on_loop([] {
    const AnyTask main = current_task();
    AnyTask inside;
    const auto task = create_task([&] {
      inside = current_task();
      ticks(1);
      CHECK(current_task() == inside);
    });
    bool none = false;
    get_running_loop().call_soon([&] { none = !current_task(); });
    await(task);
    CHECK(inside == task);
    CHECK(current_task() == main);
    CHECK(none);
  });
}

TEST_CASE("all_tasks are those that are not done, the oldest first") {
  CHECK_THROWS_AS(all_tasks(), RuntimeError);
  on_loop([] {
    const auto a = create_task([] {});
    const auto b = create_task([] { ticks(2); });
    CHECK(all_tasks() == std::vector<AnyTask>{current_task(), a, b});
    await(a);
    CHECK(all_tasks() == std::vector<AnyTask>{current_task(), b});
    await(b);
  });
}

TEST_CASE("create_task needs a running loop, and a function") {
  CHECK_THROWS_AS(create_task([] {}), RuntimeError);
  on_loop([] {
    CHECK_THROWS_AS(create_task(std::function<void()>()), ValueError);
    CHECK(all_tasks().size() == 1);
  });
}

TEST_CASE("await is for tasks") {
  Loop loop;
  const auto future = loop.create_future<int>();
  std::string text;
  try {
    await(future);
  } catch (const RuntimeError& error) {
    text = error.what();
  }
  CHECK(text == "await outside a task: wrap the caller in create_task or run");
}

TEST_CASE("a task that awaits itself is told so") {
  on_loop([] {
    Task<> task;
    task = create_task([&] { await(task); });
    CHECK_THROWS_AS(await(task), RuntimeError);
    CHECK_THROWS_WITH(task.result(), Catch::Contains("can't await itself"));
  });
}

TEST_CASE("a task ends by itself: it can't be set") {
  on_loop([] {
    const auto task = create_task([] { return 1; });
    CHECK_THROWS_AS(task.set_result(2), RuntimeError);
    CHECK_THROWS_AS(task.set_exception(std::runtime_error("bad")), RuntimeError);
    CHECK(await(task) == 1);
  });
}

TEST_CASE("a task's state and phase tell where it is") {
  using Phase = AnyTask::Phase;
  using State = AnyTask::State;
  on_loop([] {
    const Future<> future;
    const auto task = create_task([&] { await(future); });
    CHECK(task.phase() == Phase::queued);
    CHECK(current_task().phase() == Phase::running);
    ticks(1);
    CHECK(task.phase() == Phase::suspended);
    CHECK(task.state() == State::pending);
    future.set_result();
    CHECK(task.phase() == Phase::ready);
    await(task);
    CHECK(task.phase() == Phase::done);
    CHECK(task.state() == State::finished);
    const auto cancelled = create_task([] {});
    cancelled.cancel();
    ticks(1);
    CHECK(cancelled.state() == State::cancelled);
    const auto failed = create_task([] { throw std::runtime_error("bad"); });
    CHECK_THROWS_AS(await(failed), std::runtime_error);
    CHECK(failed.state() == State::finished);
  });
}

TEST_CASE("a task tells what it waits for") {
  on_loop([] {
    const Future<> future;
    const auto inner = create_task([&] { await(future); }, {.name = "inner"});
    const auto outer = create_task([&] { await(inner); });
    const auto sleeper = create_task([] { sleep(1s); });
    CHECK(!inner.waiting_on());
    ticks(2);
    CHECK(inner.waiting_on() == future);
    CHECK(outer.waiting_on() == inner);
    CHECK(outer.waiting_for() == "task 'inner'");
    CHECK(sleeper.waiting_for() == "sleep");
    CHECK(!sleeper.waiting_on());
    CHECK(current_task().waiting_for().empty());
    future.set_result();
    await(outer);
  });
}

TEST_CASE("the innermost future is what a task waits on, however deep the calls") {
  on_loop([] {
    const Future<> future;
    std::function<void(int)> call = [&](int depth) {
      depth == 0 ? await(future) : call(depth - 1);
    };
    const auto task = create_task([&] { call(100); });
    ticks(1);
    CHECK(task.waiting_on() == future);
    future.set_result();
    await(task);
  });
}

TEST_CASE("the loop holds a task that nobody else does") {
  on_loop([] {
    bool ended = false;
    static_cast<void>(create_task([&] {
      ticks(3);
      ended = true;
    }));
    ticks(5);
    CHECK(ended);
  });
}

TEST_CASE("a task's function is destroyed when it has returned") {
  on_loop([] {
    const auto held = std::make_shared<int>();
    const auto task = create_task([held] { ticks(1); });
    ticks(1);
    CHECK(held.use_count() == 2);
    await(task);
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("a task may be given a function that can only be moved") {
  on_loop([] {
    auto value = std::make_unique<int>(6);
    CHECK(await(create_task([value = std::move(value)] { return *value; })) == 6);
  });
}

TEST_CASE("a task can be given a stack of another size") {
  on_loop([] {
    const auto task = create_task(
        [] {
          volatile char buffer[900 * 1024];
          buffer[0] = 1;
          return static_cast<int>(buffer[0]);
        },
        {.stack_size = 1024 * 1024});
    CHECK(await(task) == 1);
    CHECK_THROWS_AS(create_task([] {}, {.stack_size = 1}), ValueError);
  });
}

TEST_CASE("the exception of a task that nobody awaits is reported a tick after it ended") {
  std::string order;
  on_loop([&] {
    get_running_loop().set_exception_handler([&](const ErrorContext& context) {
      order += context.message == "Task exception was never retrieved" ? "report " : "? ";
    });
    const auto task = create_task([&] {
      order += "end ";
      throw std::runtime_error("bad");
    });
    ticks(1);
    order += "next ";
    ticks(1);
    order += "later ";
    CHECK(order == "end next report later ");
    CHECK_THROWS(await(task));
  });
  CHECK(order == "end next report later ");
}

TEST_CASE("an exception that was taken in time is not reported") {
  CHECK(reports_of([] {
          const auto fail = [] { throw std::runtime_error("bad"); };
          const auto awaited = create_task(fail);
          CHECK_THROWS(await(awaited));
          const auto asked = create_task(fail);
          ticks(1);
          CHECK(asked.exception() != nullptr);
          ticks(2);
        }).empty());
}

TEST_CASE("who cancels a task that has failed already knows of its exception") {
  CHECK(reports_of([] {
          const auto task = create_task([] { throw std::runtime_error("bad"); });
          ticks(1);
          CHECK_FALSE(task.cancel());
          ticks(2);
        }).empty());
}

TEST_CASE("the report of a lost exception names the task") {
  on_loop([] {
    std::string text;
    AnyFuture reported;
    get_running_loop().set_exception_handler([&](const ErrorContext& context) {
      text = context.describe();
      reported = context.future;
      CHECK_THROWS_WITH(std::rethrow_exception(context.exception), "bad");
    });
    const auto task = create_task([] { throw std::runtime_error("bad"); }, {.name = "careless"});
    ticks(3);
    CHECK(reported == task);
    CHECK(text.find("careless") != std::string::npos);
  });
}

TEST_CASE("an eager task runs up to its first wait inside create_task") {
  on_loop([] {
    std::string order;
    const AnyTask creator = current_task();
    const auto task = create_task(
        [&] {
          CHECK(!(current_task() == creator));
          order += 'a';
          ticks(1);
          order += 'c';
        },
        eager);
    order += 'b';
    CHECK(current_task() == creator);
    CHECK(!task.done());
    await(task);
    CHECK(order == "abc");
  });
}

TEST_CASE("an eager task that never waits is done when create_task returns") {
  on_loop([] {
    const auto task = create_task([] { return 3; }, eager);
    CHECK(task.done());
    CHECK(task.result() == 3);
    CHECK(all_tasks().size() == 1);
    const auto bad = create_task([] { throw std::runtime_error("bad"); }, eager);
    CHECK(bad.done());
    CHECK_THROWS_WITH(await(bad), "bad");
  });
}

TEST_CASE("a loop can begin all its tasks eagerly") {
  LoopOptions options;
  options.eager = true;
  Loop loop(options);
  loop.run_until_complete([] {
    bool ran = false;
    const auto task = create_task([&] { ran = true; });
    CHECK(ran);
    CHECK(task.done());
  });
}

TEST_CASE("a task has a copy of its creator's context variables") {
  static ContextVar<std::string> variable("variable", "none");
  on_loop([] {
    variable.set("main");
    std::string seen;
    const auto task = create_task([&] {
      seen = variable.get();
      variable.set("own");
      ticks(1);
      seen += ' ' + variable.get();
    });
    variable.set("main2");
    await(task);
    CHECK(seen == "main own");
    CHECK(variable.get() == "main2");
  });
}

TEST_CASE("a task can share a given context") {
  static ContextVar<int> variable("variable", 0);
  on_loop([] {
    const auto context = copy_context();
    TaskOptions options;
    options.context = &context;
    const auto task = create_task(
        [] {
          ticks(1);
          variable.set(1);
        },
        options);
    await(task);
    CHECK(variable.get() == 0);
    CHECK(context.run([] { return variable.get(); }) == 1);
  });
}

TEST_CASE("checkpoint lets all that is ready have its turn") {
  on_loop([] {
    std::string order;
    const auto task = create_task([&] { order += 'a'; });
    get_running_loop().call_soon([&] { order += 'b'; });
    jumpcut::checkpoint();
    CHECK(order == "ab");
    await(task);
  });
}

TEST_CASE("tasks that yield take turns") {
  on_loop([] {
    std::string order;
    const auto print = [&](char name) {
      return [&order, name] {
        for (char i = '0'; i < '3'; ++i) {
          order += name, order += i;
          ticks(1);
        }
      };
    };
    const auto a = create_task(print('a')), b = create_task(print('b'));
    await(a), await(b);
    CHECK(order == "a0b0a1b1a2b2");
  });
}

TEST_CASE("a task goes on within the handler of an exception it waits in") {
  on_loop([] {
    const auto handle = [](const char* text) {
      return [text] {
        try {
          throw std::runtime_error(text);
        } catch (...) {
          ticks(2);
          try {
            throw;
          } catch (const std::runtime_error& error) {
            return std::string(error.what());
          }
        }
      };
    };
    const auto a = create_task(handle("a")), b = create_task(handle("b"));
    CHECK(await(a) + await(b) == "ab");
  });
}

TEST_CASE("a task keeps its thread") {
  on_loop([] {
    const auto thread = std::this_thread::get_id();
    std::vector<Task<>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(create_task([&] {
        ticks(3);
        CHECK(std::this_thread::get_id() == thread);
      }));
    }
    for (const auto& task : tasks) await(task);
  });
}
