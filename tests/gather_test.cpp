// jumpcut/gather.hpp: what comes out when several things are awaited side by side.

#include <jumpcut/gather.hpp>

#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::all_tasks;
using jumpcut::AnyFuture;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::gather;
using jumpcut::gather_future;
using jumpcut::gather_results;
using jumpcut::gather_results_future;
using jumpcut::get_running_loop;
using jumpcut::Loop;
using jumpcut::Result;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::ValueError;

TEST_CASE("gather returns the values in the order of its arguments") {
  on_loop([] {
    const auto [a, b, c] = gather([] { return value_after(3, 1); }, [] { return std::string("b"); },
                                  [] { return value_after(1, 3); });
    CHECK(a == 1);
    CHECK(b == "b");
    CHECK(c == 3);
  });
}

TEST_CASE("gather of a range returns a vector, in the range's order") {
  on_loop([] {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(create_task([i] { return value_after(5 - i, i); }));
    CHECK(gather(tasks) == std::vector<int>{0, 1, 2, 3, 4});
  });
}

TEST_CASE("gather runs what it is given side by side") {
  on_loop([] {
    const auto begin = get_running_loop().time();
    gather([] { sleep(3s); }, [] { sleep(2s); }, [] { sleep(1s); });
    CHECK(get_running_loop().time() - begin == 3s);
  });
}

TEST_CASE("gather makes tasks of functions, in order, before any of them runs") {
  on_loop([] {
    std::string order;
    const auto future = gather_future([&] { order += 'a'; }, [&] { order += 'b'; });
    CHECK(all_tasks().size() == 3);
    CHECK(order.empty());
    await(future);
    CHECK(order == "ab");
  });
}

TEST_CASE("gather takes tasks, futures and functions together") {
  on_loop([] {
    const Future<int> future;
    const auto task = create_task([&] {
      future.set_result(2);
      return 1;
    });
    CHECK(gather(task, future, [] { return 3; }) == std::tuple(1, 2, 3));
  });
}

TEST_CASE("the same future given twice to gather counts as one") {
  on_loop([] {
    int runs = 0;
    const auto a = create_task([&] { return ++runs; });
    const auto b = create_task([] { return 7; });
    CHECK(gather(a, b, a) == std::tuple(1, 7, 1));
    CHECK(gather(std::vector{a, b, a, a}) == std::vector<int>{1, 7, 1, 1});
    CHECK(runs == 1);
  });
}

TEST_CASE("gather of nothing is done at once") {
  on_loop([] {
    const OthersTurn others;
    CHECK(gather_future().done());
    CHECK(gather() == std::tuple<>());
    CHECK(gather(std::vector<Task<int>>()).empty());
    CHECK(gather_results(std::vector<Task<int>>()).empty());
    gather(std::vector<Task<>>());
    CHECK(!others.came());
  });
}

TEST_CASE("gather of what is done already does not switch") {
  on_loop([] {
    const auto a = create_task([] { return 1; });
    const auto b = create_task([] { return 2; });
    await(a), await(b);
    const OthersTurn others;
    CHECK(gather(a, b) == std::tuple(1, 2));
    CHECK(!others.came());
  });
}

TEST_CASE("gather ends two ticks after the last of its tasks") {
  on_loop([] {
    int passed = 0;
    std::function<void()> count = [&] {
      ++passed;
      get_running_loop().call_soon(count);
    };
    get_running_loop().call_soon(count);
    gather([] { ticks(1); }, [] { ticks(1); });
    CHECK(passed == 4);
    count = [] {};
    ticks();
  });
}

TEST_CASE("where nothing is returned, gather returns nothing, or std::monostate for it") {
  on_loop([] {
    static_assert(std::is_void_v<decltype(gather([] {}, [] {}))>);
    static_assert(std::is_void_v<decltype(gather(std::vector<Task<>>()))>);
    const auto both = gather([] {}, [] { return 2; });
    static_assert(std::is_same_v<decltype(both), const std::tuple<std::monostate, int>>);
    CHECK(std::get<1>(both) == 2);
    gather(std::vector<AnyFuture>{create_task([] { return 1; }), create_task([] {})});
  });
}

TEST_CASE("gather moves values that can't be copied") {
  on_loop([] {
    const auto [a, b] =
        gather([] { return std::make_unique<int>(1); }, [] { return std::make_unique<int>(2); });
    CHECK(*a + *b == 3);
    std::vector<std::function<std::unique_ptr<int>()>> makers(
        2, [] { return std::make_unique<int>(5); });
    auto made = gather(std::move(makers));
    CHECK(*made[0] + *made[1] == 10);
  });
}

TEST_CASE("gather copies a value that somebody else can ask for") {
  on_loop([] {
    const auto task = create_task([] { return std::string("kept"); });
    CHECK(std::get<0>(gather(task)) == "kept");
    CHECK(task.result() == "kept");
    CHECK(gather(std::vector{task, task}) == std::vector<std::string>{"kept", "kept"});
    CHECK(task.result() == "kept");
  });
}

TEST_CASE("gather throws what the first one that fails throws, and lets the others go on") {
  on_loop([] {
    std::string order;
    const auto slow = create_task([&] {
      ticks(4);
      order += "slow ";
    });
    const auto bad = create_task([&]() -> int {
      ticks(1);
      order += "bad ";
      throw std::runtime_error("bad");
    });
    CHECK_THROWS_WITH(gather(slow, bad), "bad");
    CHECK(order == "bad ");
    CHECK(!slow.done());
    await(slow);
    CHECK(order == "bad slow ");
  });
}

TEST_CASE("gather throws the very exception of the task") {
  on_loop([] {
    const auto task = create_task([]() -> int { return fail_after(1, "this"); });
    const auto future = gather_future(task);
    CHECK_THROWS(await(future));
    CHECK(future.exception() == task.exception());
  });
}

TEST_CASE("a failed gather can't be cancelled, and what goes on is not") {
  on_loop([] {
    const auto slow = create_task([] { return value_after(4, 1); });
    const auto future = gather_future(slow, [] { return fail_after(1, "bad"); });
    CHECK_THROWS_WITH(await(future), "bad");
    CHECK(!future.cancel());
    CHECK(await(slow) == 1);
  });
}

TEST_CASE("errors that come after gather has failed count as taken") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    CHECK_THROWS_WITH(
        gather([] { return fail_after(1, "one"); }, [] { return fail_after(2, "two"); }), "one");
    ticks(5);
  });
  CHECK(reports.empty());
}

TEST_CASE("errors that come after a gather was cancelled, or a child of it, count as taken") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    const auto fail_when_told = [] {
      if (is_cancelled([] { sleep(1s); })) throw std::runtime_error("told");
    };
    const auto child = create_task([] { sleep(1s); });
    const auto future = gather_future(child, [] { return fail_after(4, "late"); });
    child.cancel();
    CHECK(is_cancelled([&] { await(future); }));
    const auto results = gather_results_future(fail_when_told, fail_when_told);
    ticks(1);
    results.cancel();
    CHECK(is_cancelled([&] { await(results); }));
    ticks(5);
  });
  CHECK(reports.empty());
}

TEST_CASE("a gather that nobody awaits and that fails is reported") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    gather_future([] { return fail_after(1, "one"); });
    ticks(5);
  });
  CHECK(reports == std::vector<std::string>{"Future exception was never retrieved"});
}

TEST_CASE("a child that is cancelled fails gather with Cancelled, but does not cancel it") {
  on_loop([] {
    const Future<int> a, b;
    const auto future = gather_future(a, b);
    a.cancel("gone");
    CHECK(message_of([&] { await(future); }) == "gone");
    CHECK(!future.cancelled());
    CHECK(future.done());
    CHECK(future.exception() != nullptr);
    CHECK(!b.done());
  });
}

TEST_CASE("who awaits a gather whose child is cancelled is not cancelled itself") {
  on_loop([] {
    const auto child = create_task([] { return value_after(9, 1); });
    const auto parent = create_task([&] { return gather(child); });
    ticks(1);
    child.cancel();
    CHECK(is_cancelled([&] { await(parent); }));
    CHECK(parent.cancelling() == 0);
    CHECK(parent.cancelled());
  });
}

TEST_CASE("cancelling who awaits a gather cancels all of its children") {
  on_loop([] {
    std::string order;
    const auto child = [&](char name) {
      return [&order, name] {
        if (is_cancelled([] { sleep(1s); })) {
          order += name;
          throw Cancelled();
        }
      };
    };
    const auto parent = create_task([&] { gather(child('a'), child('b')); });
    ticks(2);
    CHECK(parent.cancel("why"));
    CHECK(is_cancelled([&] { await(parent); }));
    CHECK(order == "ab");
  });
}

TEST_CASE("cancelling a gather twice tells each child twice") {
  on_loop([] {
    const auto child = create_task([] { sleep(1s); });
    const auto future = gather_future(child, child);
    ticks(1);
    CHECK(future.cancel());
    CHECK(child.cancelling() == 2);  // it was given twice, as in asyncio
    CHECK(future.cancel());
    CHECK(child.cancelling() == 4);
    CHECK(is_cancelled([&] { await(future); }));
  });
}

TEST_CASE("a cancelled gather ends with the message, once the children are done") {
  on_loop([] {
    const Future<> cleaned_up;
    const auto child = create_task([&] {
      try {
        sleep(1s);
      } catch (const Cancelled&) {
        await(cleaned_up);
        throw;
      }
    });
    const auto future = gather_results_future(child);
    ticks(1);
    CHECK(future.cancel("why"));
    ticks(5);
    CHECK(!future.done());
    cleaned_up.set_result();
    CHECK(message_of([&] { await(future); }) == "why");
    CHECK(!future.cancelled());
  });
}

TEST_CASE("a cancelled gather throws Cancelled though its children return values") {
  on_loop([] {
    const auto child = create_task([] { return is_cancelled([] { sleep(1s); }) ? 5 : 0; });
    const auto future = gather_future(child);
    ticks(1);
    CHECK(future.cancel("why"));
    CHECK(message_of([&] { await(future); }) == "-");
    CHECK(child.result() == 5);
  });
}

TEST_CASE("a cancelled gather says what its last child was told, though that returned a value") {
  on_loop([] {
    const Future<> source;
    const auto child = create_task([&] { return is_cancelled([&] { await(source); }) ? 5 : 0; });
    const auto future = gather_future(child);
    ticks(1);
    source.set_result();  // the child is ready: the cancellation is its own, not the future's
    CHECK(future.cancel("why"));
    CHECK(message_of([&] { await(future); }) == "why");
    CHECK(child.result() == 5);
  });
}

TEST_CASE("cancelling who awaits gather_results throws there, whatever the children make of it") {
  on_loop([] {
    const auto parent = create_task(
        [] { gather_results([] { return is_cancelled([] { sleep(1s); }); }, [] { sleep(1s); }); });
    ticks(2);
    parent.cancel("why");
    CHECK(message_of([&] { await(parent); }) == "why");
    CHECK(parent.cancelling() == 1);
  });
}

TEST_CASE("a gather whose futures are all done can't be cancelled any more") {
  on_loop([] {
    const Future<int> source;
    const auto task = create_task([&] { return await(source); });
    const auto future = gather_future(task);
    ticks(1);
    bool cancelled = true;
    source.set_result(42);
    ticks(1);  // the task ends; the gather is told in the next tick
    CHECK(task.done());
    CHECK(!future.done());
    cancelled = future.cancel();
    CHECK(!cancelled);
    CHECK(await(future) == std::tuple(42));
  });
}

TEST_CASE("gather_results waits for all, and returns errors as results") {
  on_loop([] {
    const auto [a, b, c] = gather_results([] { return fail_after(1, "bad"); },
                                          [] { return value_after(3, 2); }, [] {});
    CHECK_THROWS_WITH(a.value(), "bad");
    CHECK(b.value() == 2);
    CHECK(c);
    static_assert(std::is_same_v<decltype(c), const Result<void>>);
  });
}

TEST_CASE("gather_results of a range returns a vector of results") {
  on_loop([] {
    std::vector<Task<int>> tasks;
    tasks.push_back(create_task([] { return 1; }));
    tasks.push_back(create_task([] { return fail_after(1, "bad"); }));
    const std::vector<Result<int>> results = gather_results(tasks);
    CHECK(results[0].value() == 1);
    CHECK(results[1].error() == tasks[1].exception());
  });
}

TEST_CASE("a cancelled child is a cancelled result, and the others have theirs") {
  on_loop([] {
    const auto a = create_task([] { return value_after(9, 1); });
    const Future<int> b;
    const auto future = gather_results_future(a, b, [] { return value_after(3, 2); });
    ticks(1);
    a.cancel("first");
    b.cancel("second");
    const auto [ra, rb, rc] = await(future);
    CHECK(ra.is_cancelled());
    CHECK(rb.is_cancelled());
    CHECK(rc.value() == 2);
    // A task's own message goes to its awaiter, a future's to everybody.
    CHECK(message_of([&r = ra] { r.value(); }) == "-");
    CHECK(message_of([&r = rb] { r.value(); }) == "second");
    CHECK(message_of([&] { await(a); }) == "first");
  });
}

TEST_CASE("gather refuses futures of different loops") {
  Loop one, other;
  CHECK_THROWS_AS(gather_future(one.create_future<int>(), other.create_future<int>()), ValueError);
  const auto future = gather_future(other.create_future<int>(), other.create_future<int>());
  CHECK(!future.done());
  CHECK_THROWS_AS(gather_future(one.create_future<int>(), future), ValueError);
}

TEST_CASE("a gather of a loop's futures can be made while the loop does not run") {
  Loop loop;
  const auto a = loop.create_task([] { return value_after(2, 1); });
  const auto b = loop.create_task([] { return value_after(1, 2); });
  CHECK(loop.run_until_complete(gather_future(a, b)) == std::tuple(1, 2));
}

TEST_CASE("gather says where it can't be called") {
  CHECK_THROWS_AS(gather(), RuntimeError);
  CHECK_THROWS_AS(gather_future(), RuntimeError);
  CHECK_THROWS_AS(gather_future([] {}), RuntimeError);
  on_loop([] {
    std::string text;
    get_running_loop().call_soon([&] {
      try {
        gather([] {});
      } catch (const RuntimeError& error) {
        text = error.what();
      }
    });
    ticks(2);
    CHECK(text.find("gather outside a task") == 0);
    CHECK_THROWS_AS(gather(Task<int>()), RuntimeError);
  });
}

TEST_CASE("gather waits for gathers") {
  on_loop([] {
    const auto inner = gather_future([] { return value_after(2, 1); }, [] { return 2; });
    const auto outer = gather_future(inner, [] { return 3; });
    const auto [both, three] = await(outer);
    CHECK(both == std::tuple(1, 2));
    CHECK(three == 3);
  });
}

TEST_CASE("cancelling an outer gather reaches the tasks of an inner one") {
  on_loop([] {
    const auto task = create_task([] { sleep(1s); });
    const auto outer = gather_future(gather_future(task));
    ticks(1);
    CHECK(outer.cancel());
    CHECK(is_cancelled([&] { await(outer); }));
    CHECK(task.cancelled());
  });
}

TEST_CASE("a second cancel that comes when gather has failed with Cancelled changes nothing") {
  on_loop([] {
    const Future<int> child;
    const auto parent = create_task([&] {
      const std::string message = message_of([&] { gather(child); });
      ticks(2);
      return message;
    });
    ticks(1);
    parent.cancel("first");
    ticks(1);  // the gather is done, the parent ready
    parent.cancel("second");
    CHECK(await(parent) == "first");
    CHECK(parent.cancelling() == 2);
  });
}

TEST_CASE("gather of a thousand tasks returns a thousand values") {
  on_loop([] {
    std::vector<Task<std::size_t>> tasks;
    for (std::size_t i = 0; i < 1000; ++i) tasks.push_back(create_task([i] { return i; }));
    const auto values = gather(tasks);
    REQUIRE(values.size() == 1000);
    for (std::size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == i);
  });
}

TEST_CASE("a value that can't be copied fails a gather that was given it twice") {
  on_loop([] {
    const auto task = create_task([] { return std::make_unique<int>(1); });
    CHECK_THROWS_AS(gather(task, task), jumpcut::InvalidStateError);
  });
}
