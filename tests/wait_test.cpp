// jumpcut/wait.hpp: how long it waits, and what it returns.

#include <jumpcut/wait.hpp>

#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::AnyFuture;
using jumpcut::AnyTask;
using jumpcut::create_task;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::Loop;
using jumpcut::ReturnWhen;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::ValueError;
using jumpcut::wait;

namespace {

std::vector<int> results_of(const std::vector<Task<int>>& tasks) {
  std::vector<int> results;
  for (const auto& task : tasks) results.push_back(task.result());
  return results;
}

}  // namespace

TEST_CASE("wait returns once all are done, in the order given") {
  on_loop([] {
    const auto tasks = sleepers({3, 1, 2});
    const auto [done, pending] = wait(tasks);
    CHECK(results_of(done) == std::vector<int>{3, 1, 2});
    CHECK(pending.empty());
    CHECK(elapsed() == 3s);
    CHECK(done[0] == tasks[0]);
  });
}

TEST_CASE("wait doesn't throw what the tasks throw") {
  on_loop([] {
    const auto task = create_task([]() -> int { throw std::runtime_error("bad"); });
    const auto [done, pending] = wait({task});
    CHECK(done.size() == 1);
    CHECK_THROWS_WITH(done[0].result(), "bad");
  });
}

TEST_CASE("wait counts each future once, however often it is given") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    const auto [done, pending] = wait(std::vector{tasks[0], tasks[1], tasks[0], tasks[1]});
    CHECK(results_of(done) == std::vector<int>{1, 2});
  });
}

TEST_CASE("wait for the first returns those that are done by then") {
  on_loop([] {
    const auto [done, pending] =
        wait(sleepers({2, 1, 3}), {.return_when = ReturnWhen::first_completed});
    CHECK(results_of(done) == std::vector<int>{1});
    CHECK(pending.size() == 2);
    CHECK(elapsed() == 1s);
    CHECK(!pending[0].cancelled());
  });
}

TEST_CASE("wait for the first may return several that end in one tick") {
  on_loop([] {
    const auto a = create_task([] { ticks(1); });
    const auto b = create_task([] { ticks(1); });
    const auto c = create_task([] { ticks(9); });
    const auto [done, pending] = wait({a, b, c}, {.return_when = ReturnWhen::first_completed});
    CHECK(done == std::vector{a, b});
    CHECK(pending == std::vector{c});
  });
}

TEST_CASE("wait for the first returns, a tick later, if one was done before") {
  on_loop([] {
    const auto done_before = create_task([] { return 1; });
    await(done_before);
    const auto slow = create_task([] {
      sleep(1s);
      return 2;
    });
    const auto [done, pending] =
        wait({slow, done_before}, {.return_when = ReturnWhen::first_completed});
    CHECK(done == std::vector{done_before});
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("wait for an exception returns once one fails") {
  on_loop([] {
    const auto slow = create_task([] { sleep(10s); });
    const auto quick = create_task([] {});
    const auto bad = create_task([] {
      sleep(1s);
      throw std::runtime_error("bad");
    });
    const auto [done, pending] =
        wait({slow, quick, bad}, {.return_when = ReturnWhen::first_exception});
    CHECK(done == std::vector{quick, bad});
    CHECK(pending == std::vector{slow});
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("wait for an exception returns when one has failed before") {
  on_loop([] {
    const auto bad = create_task([] { throw std::runtime_error("bad"); });
    CHECK_THROWS(await(bad));
    const auto slow = create_task([] { sleep(10s); });
    const auto [done, pending] = wait({slow, bad}, {.return_when = ReturnWhen::first_exception});
    CHECK(done == std::vector{bad});
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("wait for an exception takes a cancelled task for none") {
  on_loop([] {
    const auto slow = create_task([] { sleep(2s); });
    const auto cancelled = create_task([] { sleep(10s); });
    get_running_loop().call_later(1s, [&] { cancelled.cancel(); });
    const auto [done, pending] =
        wait({slow, cancelled}, {.return_when = ReturnWhen::first_exception});
    CHECK(done.size() == 2);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("wait for an exception waits for all where none fails") {
  on_loop([] {
    const auto [done, pending] =
        wait(sleepers({1, 2}), {.return_when = ReturnWhen::first_exception});
    CHECK(done.size() == 2);
  });
}

TEST_CASE("wait returns what is done when its time is over, and cancels nobody") {
  on_loop([] {
    const auto tasks = sleepers({1, 5});
    const auto [done, pending] = wait(tasks, {.timeout = 2s});
    CHECK(results_of(done) == std::vector<int>{1});
    CHECK(pending == std::vector{tasks[1]});
    CHECK(elapsed() == 2s);
    CHECK(await(tasks[1]) == 5);
    CHECK(elapsed() == 5s);
  });
}

TEST_CASE("wait whose time is over leaves nothing at the futures") {
  on_loop([] {
    const Future<> future;
    wait(std::vector{future}, {.timeout = 1s});
    CHECK(listeners_of(future) == 0);
  });
}

TEST_CASE("wait with no time at all looks once") {
  on_loop([] {
    const auto tasks = sleepers({1});
    const auto [done, pending] = wait(tasks, {.timeout = 0s});
    CHECK(done.empty());
    CHECK(!pending[0].cancelled());
    CHECK(wait(tasks, {.timeout = -5s}).pending.size() == 1);
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("wait gives up a timeout that it did not need") {
  on_loop([] {
    const auto [done, pending] = wait(sleepers({1}), {.timeout = 60s});
    CHECK(done.size() == 1);
    CHECK(get_running_loop().stats().timers == 0);
  });
}

TEST_CASE("cancelling who waits doesn't reach the tasks") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    const auto waiting = create_task([&] { wait(tasks); });
    ticks(2);
    waiting.cancel("enough");
    CHECK(is_cancelled([&] { await(waiting); }));
    CHECK(tasks[0].cancelling() == 0);
    CHECK(wait(tasks).done.size() == 2);
  });
}

TEST_CASE("several tasks may wait for the same ones") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    std::string order;
    const auto a = create_task([&] { wait(tasks), order += 'a'; });
    const auto b = create_task([&] {
      wait(tasks, {.return_when = ReturnWhen::first_completed});
      order += 'b';
    });
    CHECK(wait({a, b}).done.size() == 2);
    CHECK(order == "ba");
  });
}

TEST_CASE("wait takes futures and tasks of different types together") {
  on_loop([] {
    const Future<std::string> future;
    const auto task = create_task([&] { future.set_result("x"); });
    const auto result = wait({future, task});
    static_assert(std::is_same_v<decltype(result), const jumpcut::WaitResult<AnyFuture>>);
    CHECK(result.done.size() == 2);
    const std::vector<AnyTask> tasks{task};
    CHECK(wait(tasks).done[0] == task);
    const std::vector<AnyFuture> futures{task, future};
    CHECK(wait(futures).done.size() == 2);
  });
}

TEST_CASE("wait refuses to wait for nothing") {
  on_loop([] {
    CHECK_THROWS_AS(wait(std::vector<Task<int>>()), ValueError);
    CHECK_THROWS_AS(wait(std::vector<Task<int>>(1)), RuntimeError);
  });
}

TEST_CASE("wait is for tasks, and for futures of their loop") {
  Loop other;
  const auto future = other.create_future<int>();
  CHECK_THROWS_AS(wait({future}), RuntimeError);
  on_loop([&] { CHECK_THROWS_AS(wait({future}), ValueError); });
}

TEST_CASE("wait takes two ticks for what is done already") {
  on_loop([] {
    const auto task = create_task([] {});
    await(task);
    std::string order;
    get_running_loop().call_soon([&] {
      order += '1';
      get_running_loop().call_soon([&] {
        order += '2';
        get_running_loop().call_soon([&] { order += '3'; });
      });
    });
    wait({task});
    CHECK(order == "12");
    ticks();
  });
}

TEST_CASE("an exception that wait for one has seen counts as taken") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    {
      const auto bad = create_task([] { throw std::runtime_error("bad"); });
      const auto slow = create_task([] { ticks(3); });
      wait({bad, slow}, {.return_when = ReturnWhen::first_exception});
    }
    ticks(5);
    CHECK(reports.empty());
    {
      const auto bad = create_task([] { throw std::runtime_error("bad"); });
      wait({bad});
    }
    CHECK(reports == std::vector<std::string>{"Task exception was never retrieved"});
  });
}
