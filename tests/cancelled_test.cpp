// jumpcut/cancelled.hpp: what cancelling a task does, where it arrives, and what is left of it.

#include <jumpcut/cancelled.hpp>

#include <jumpcut/gather.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/task_group.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::Cancelled;
using jumpcut::CancelReason;
using jumpcut::create_task;
using jumpcut::current_task;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::RunOptions;
using jumpcut::sleep;
using jumpcut::Task;

TEST_CASE("cancelling a task throws Cancelled where it waits") {
  on_loop([] {
    std::string order;
    const auto task = create_task([&] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
        order += "there ";
        throw;
      }
    });
    ticks(1);
    CHECK(task.cancel());
    CHECK(!task.done());
    CHECK(!task.cancelled());
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(task.cancelled());
    CHECK(order == "there ");
    CHECK(get_running_loop().stats().timers == 0);
  });
}

TEST_CASE("a task that is done can't be cancelled") {
  on_loop([] {
    const auto task = create_task([] { return 1; });
    await(task);
    CHECK(!task.cancel());
    CHECK(!task.cancelled());
    CHECK(task.cancelling() == 0);
    CHECK(task.result() == 1);
  });
}

TEST_CASE("a task that is cancelled before its first turn never runs") {
  on_loop([] {
    bool ran = false;
    const auto task = create_task([&] { ran = true; });
    CHECK(task.cancel("early"));
    CHECK(!task.cancelled());
    CHECK(task.cancelling() == 1);
    CHECK(message_of([&] { await(task); }) == "early");
    CHECK(task.cancelled());
    CHECK(!ran);
  });
}

TEST_CASE("the message of a cancelled task goes to its first awaiter") {
  on_loop([] {
    const auto task = create_task([] { sleep(10s); });
    ticks(1);
    task.cancel("my message");
    CHECK(message_of([&] { await(task); }) == "my message");
    CHECK(message_of([&] { await(task); }) == "-");
    CHECK(message_of([&] { task.result(); }) == "-");
  });
}

TEST_CASE("cancelling a task cancels the future it waits for, first") {
  on_loop([] {
    const Future<> future;
    std::string order;
    future.add_done_callback([&] { order += "callback "; });
    const auto task = create_task([&] {
      try {
        await(future);
      } catch (const Cancelled& cancelled) {
        order += cancelled.message();
        throw;
      }
    });
    ticks(1);
    task.cancel("m");
    CHECK(future.cancelled());
    CHECK(!task.cancelled());
    CHECK(message_of([&] { await(task); }) == "m");
    CHECK(order == "callback m");
  });
}

TEST_CASE("a cancellation goes down to the innermost task and comes up a tick at a time") {
  on_loop([] {
    std::string order;
    const auto waits = [&order](const char* name, auto wait) {
      return [&order, name, wait] {
        try {
          wait();
        } catch (const Cancelled&) {
          order += name;
          throw;
        }
      };
    };
    const auto inner = create_task(waits("inner ", [] { sleep(10s); }));
    const auto middle = create_task(waits("middle ", [&] { await(inner); }));
    const auto outer = create_task(waits("outer ", [&] { await(middle); }));
    ticks(2);
    outer.cancel();
    CHECK(inner.cancelling() == 1);
    ticks(1);
    CHECK(order == "inner ");
    ticks(1);
    CHECK(order == "inner middle ");
    ticks(1);
    CHECK(order == "inner middle outer ");
    CHECK(outer.cancelled());
  });
}

TEST_CASE("a task that somebody else cancels passes Cancelled on to who awaits it") {
  on_loop([] {
    const auto inner = create_task([] { sleep(10s); });
    const auto outer = create_task([&] { await(inner); });
    ticks(2);
    inner.cancel();
    CHECK(is_cancelled([&] { await(outer); }));
    CHECK(outer.cancelled());
    CHECK(outer.cancelling() == 0);
  });
}

TEST_CASE("an inner task may absorb the cancellation of an outer one") {
  on_loop([] {
    const auto inner = create_task([] { return is_cancelled([] { sleep(10s); }) ? 5 : 0; });
    const auto outer = create_task([&] { return await(inner); });
    ticks(2);
    outer.cancel();
    CHECK(await(outer) == 5);
    CHECK(outer.cancelling() == 1);
    CHECK(!outer.cancelled());
  });
}

TEST_CASE("a task that catches Cancelled goes on, and its later waits are waits") {
  on_loop([] {
    const auto task = create_task([] {
      is_cancelled([] { sleep(10s); });
      sleep(1s);
      return 7;
    });
    ticks(1);
    task.cancel();
    CHECK(await(task) == 7);
    CHECK(task.cancelling() == 1);
    CHECK(!task.cancelled());
    CHECK(get_running_loop().stats().swallowed_cancellations == 1);
  });
}

TEST_CASE("what a task throws instead of Cancelled is what it fails with") {
  on_loop([] {
    const auto task = create_task([] {
      try {
        sleep(10s);
      } catch (const Cancelled&) {
        throw std::runtime_error("instead");
      }
    });
    ticks(1);
    task.cancel();
    CHECK_THROWS_WITH(await(task), "instead");
    CHECK(!task.cancelled());
  });
}

TEST_CASE("a task may wait while it cleans up, and a second cancel interrupts that") {
  on_loop([] {
    std::string order;
    const auto task = create_task([&] {
      try {
        sleep(10s);
      } catch (const Cancelled& first) {
        order += first.message();
        try {
          sleep(10s);
        } catch (const Cancelled& second) {
          order += second.message();
        }
        throw;
      }
    });
    ticks(1);
    task.cancel("a");
    ticks(1);
    task.cancel("b");
    CHECK(message_of([&] { await(task); }) == "a");
    CHECK(order == "ab");
    CHECK(task.cancelling() == 2);
  });
}

TEST_CASE("two cancels in one tick throw one Cancelled, with the first message") {
  on_loop([] {
    int count = 0;
    const auto task = create_task([&] {
      const std::string message = message_of([] { sleep(10s); });
      count += is_cancelled([] { ticks(1); });
      return message;
    });
    ticks(1);
    CHECK(task.cancel("a"));
    CHECK(task.cancel("b"));
    CHECK(await(task) == "a");
    CHECK(count == 0);
    CHECK(task.cancelling() == 2);
  });
}

TEST_CASE("a cancel that comes after the wake takes the place of the value") {
  on_loop([] {
    const Future<int> future;
    const auto task = create_task([&] { return await(future); });
    ticks(1);
    future.set_result(42);
    CHECK(task.cancel());
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(future.result() == 42);
  });
}

TEST_CASE("a task that cancels itself is told at its next wait") {
  on_loop([] {
    std::string order;
    const auto task = create_task([&] {
      current_task().cancel("x");
      order += "goes on ";
      if (is_cancelled([] { ticks(1); })) order += "told";
    });
    await(task);
    CHECK(order == "goes on told");
  });
}

TEST_CASE("a task that cancels itself and returns is cancelled") {
  on_loop([] {
    const auto task = create_task([] {
      current_task().cancel("x");
      return 5;
    });
    CHECK(message_of([&] { await(task); }) == "x");
    CHECK(message_of([&] { await(task); }) == "x");
    CHECK(task.cancelled());
  });
}

TEST_CASE("a request that is passed on as the wait begins is not thrown besides") {
  on_loop([] {
    const auto inner = create_task([] { return is_cancelled([] { sleep(10s); }) ? 5 : 0; });
    ticks(1);
    const auto outer = create_task([&] {
      current_task().cancel();
      const int value = await(inner);
      ticks(1);
      return value;
    });
    CHECK(await(outer) == 5);
  });
}

TEST_CASE("a cancel before a wait that need not switch is told at the next that does") {
  on_loop([] {
    const Future<int> done;
    done.set_result(1);
    const auto task = create_task([&] {
      current_task().cancel();
      CHECK(await(done) == 1);
      return is_cancelled([] { ticks(1); });
    });
    CHECK(await(task));
  });
}

TEST_CASE("uncancel takes one request back, and counts what is left") {
  on_loop([] {
    const auto task = create_task([] { ticks(2); });
    ticks(1);
    CHECK(task.uncancel() == 0);
    task.cancel();
    task.cancel();
    CHECK(task.cancelling() == 2);
    CHECK(task.uncancel() == 1);
    CHECK(task.uncancel() == 0);
    CHECK(task.uncancel() == 0);
    await(task);
    CHECK(!task.cancelled());
  });
}

TEST_CASE("uncancel to zero takes back what the task was not told yet") {
  on_loop([] {
    const auto task = create_task([] {
      current_task().cancel();
      CHECK(current_task().uncancel() == 0);
      ticks(1);
      return 1;
    });
    CHECK(await(task) == 1);
  });
}

TEST_CASE("uncancel does not take back a Cancelled that is on its way") {
  on_loop([] {
    const auto task = create_task([] { sleep(10s); });
    ticks(1);
    task.cancel();
    CHECK(task.uncancel() == 0);
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(task.cancelled());
  });
}

TEST_CASE("a task that is uncancelled has swallowed nothing") {
  on_loop([] {
    const auto task = create_task([] {
      is_cancelled([] { sleep(10s); });
      current_task().uncancel();
    });
    ticks(1);
    task.cancel();
    await(task);
    CHECK(get_running_loop().stats().swallowed_cancellations == 0);
  });
}

TEST_CASE("Cancelled that nobody asked for ends the task as cancelled") {
  on_loop([] {
    const auto task = create_task([] { throw Cancelled("by hand"); });
    CHECK(message_of([&] { await(task); }) == "by hand");
    CHECK(task.cancelled());
    CHECK(task.cancelling() == 0);
  });
}

TEST_CASE("Cancelled passes handlers for std::exception in a task") {
  on_loop([] {
    const auto task = create_task([] {
      try {
        sleep(10s);
      } catch (const std::exception&) {
      }
    });
    ticks(1);
    task.cancel();
    CHECK(is_cancelled([&] { await(task); }));
  });
}

TEST_CASE("Cancelled tells who asked, where and why") {
  on_loop([] {
    const auto victim = create_task([] { sleep(10s); });
    ticks(1);
    await(create_task([&] { victim.cancel("enough"); }, {.name = "culprit"}));
    try {
      await(victim);
      FAIL();
    } catch (const Cancelled& cancelled) {
      CHECK(cancelled.reason() == CancelReason::user);
      CHECK(cancelled.request().by == "culprit");
      CHECK(std::string(cancelled.where().file).find("cancelled_test.cpp") != std::string::npos);
      CHECK(cancelled.where().line > 0);
      CHECK(cancelled.describe().find("cancelled, asked by task 'culprit' at ") == 0);
      CHECK(cancelled.describe().find(": enough") != std::string::npos);
    }
  });
}

TEST_CASE("cancelled tasks are reported to nobody") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    const auto task = create_task([] { sleep(10s); });
    ticks(1);
    task.cancel();
    ticks(3);
    CHECK(task.cancelled());
  });
  CHECK(reports.empty());
}

TEST_CASE("an exception that a cancellation takes the place of counts as taken") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    const auto task =
        create_task([] { jumpcut::gather([] { throw std::runtime_error("lost"); }); });
    ticks(2);
    task.cancel();  // the gather has nothing to cancel any more, and fails a tick later
    CHECK(is_cancelled([&] { await(task); }));
    ticks(2);
  });
  CHECK(reports.empty());
}

TEST_CASE("the loop's end cancels tasks for that reason") {
  CancelReason reason = CancelReason::user;
  on_loop([&] {
    static_cast<void>(create_task([&] {
      try {
        sleep(10s);
      } catch (const Cancelled& cancelled) {
        reason = cancelled.reason();
        throw;
      }
    }));
    ticks(1);
  });
  CHECK(reason == CancelReason::shutdown);
}

TEST_CASE("in debug mode a swallowed cancellation is reported, with the place that asked") {
  jumpcut::VirtualClock clock;
  RunOptions options;
  options.clock = &clock;
  options.debug = true;
  std::vector<std::string> reports;
  jumpcut::run(
      [&] {
        get_running_loop().set_exception_handler(
            [&](const ErrorContext& context) { reports.push_back(context.message); });
        const auto task =
            create_task([] { is_cancelled([] { sleep(10s); }); }, {.name = "stubborn"});
        ticks(1);
        task.cancel();
        await(task);
      },
      options);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("Task 'stubborn' was cancelled") == 0);
  CHECK(reports[0].find("cancelled_test.cpp") != std::string::npos);
}

TEST_CASE("tasks that wait for each other in a circle can't be cancelled, which is an error") {
  on_loop([] {
    jumpcut::Task<> second;
    auto first = create_task([&] { await(second); });
    second = create_task([&] { await(first); });
    ticks(2);
    CHECK_THROWS_AS(first.cancel(), jumpcut::RecursionError);
    CHECK_THROWS_AS(second.cancel(), jumpcut::RecursionError);
    ticks(2);
    CHECK_FALSE(first.done());
    CHECK_FALSE(second.done());
  });
}

TEST_CASE("a task that is to be cancelled may close a circle: it parks all the same") {
  on_loop([] {
    jumpcut::Task<> second;
    auto first = create_task([&] { await(second); });
    second = create_task([&] {
      jumpcut::current_task().cancel();
      await(first);
    });
    ticks(3);
    CHECK_FALSE(first.done());
    CHECK_FALSE(second.done());
  });
}

TEST_CASE("tasks in a circle that a group told to end may be told again, by a loop that closes") {
  jumpcut::VirtualClock clock;
  jumpcut::LoopOptions options;
  options.clock = &clock;
  jumpcut::Loop loop(options);
  jumpcut::Task<> first, second;
  const auto group = loop.create_task([&] {
    jumpcut::task_group([&](jumpcut::TaskGroup& tasks) {
      first = tasks.create_task([&] { await(second); });
      second = tasks.create_task([&] { await(first); });
      ticks(2);
      jumpcut::get_running_loop().stop();  // they have no turn any more
      throw Cancelled();
    });
  });
  loop.run_forever();
  CHECK_FALSE(first.done());
  loop.close();
  CHECK(first.cancelled());
  CHECK(second.cancelled());
  CHECK(group.cancelled());
}
