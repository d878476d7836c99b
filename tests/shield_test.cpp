// jumpcut/shield.hpp: what a cancellation reaches, and what it does not.

#include <jumpcut/shield.hpp>

#include <jumpcut/gather.hpp>
#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::gather_future;
using jumpcut::gather_results_future;
using jumpcut::get_running_loop;
using jumpcut::Loop;
using jumpcut::RuntimeError;
using jumpcut::shield;
using jumpcut::shield_future;
using jumpcut::sleep;
using jumpcut::Task;

TEST_CASE("shield returns the task's value") {
  on_loop([] {
    CHECK(shield(create_task([] { return 42; })) == 42);
    CHECK(shield([] {
            sleep(1s);
            return std::string("x");
          }) == "x");
    shield([] {});
  });
}

TEST_CASE("shield throws the task's exception") {
  on_loop([] {
    const auto task = create_task([]() -> int { throw std::runtime_error("bad"); });
    const auto outer = shield_future(task);
    CHECK_THROWS_WITH(await(outer), "bad");
    CHECK(outer.exception() == task.exception());
  });
}

TEST_CASE("shield of what is done does not switch, and is no other future") {
  on_loop([] {
    const auto task = create_task([] { return 1; });
    await(task);
    CHECK(shield_future(task) == task);
    const OthersTurn others;
    CHECK(shield(task) == 1);
    CHECK(!others.came());
  });
}

TEST_CASE("cancelling who is shielded leaves the task running") {
  on_loop([] {
    const auto inner = create_task([] {
      sleep(1s);
      return 1;
    });
    const auto outer = create_task([&] { return shield(inner); });
    ticks(2);
    outer.cancel();
    CHECK(is_cancelled([&] { await(outer); }));
    CHECK(inner.cancelling() == 0);
    CHECK(await(inner) == 1);
  });
}

TEST_CASE("cancelling the task cancels the shield around it") {
  on_loop([] {
    const Future<int> inner;
    const auto outer = shield_future(inner);
    inner.cancel("why");
    CHECK(!outer.done());
    ticks(1);
    CHECK(outer.cancelled());
    try {
      await(outer);
      FAIL();
    } catch (const Cancelled& cancelled) {
      CHECK(!cancelled.has_message());
    }
  });
}

TEST_CASE("cancelling a shield cancels only it, at once") {
  on_loop([] {
    const Future<int> inner;
    const auto outer = shield_future(inner);
    CHECK(outer.cancel("enough"));
    CHECK(outer.cancelled());
    CHECK(!inner.done());
    inner.set_result(1);
    ticks(2);
    CHECK(outer.cancelled());
    CHECK(!outer.cancel());
  });
}

TEST_CASE("who awaits a shield goes on a tick after the task has told it") {
  on_loop([] {
    const Future<int> inner;
    std::string order;
    const auto waiting = create_task([&] {
      shield(inner);
      order += 'w';
    });
    ticks(1);
    inner.set_result(1);
    ticks(1);
    CHECK(order.empty());
    ticks(1);
    CHECK(order == "w");
    await(waiting);
  });
}

TEST_CASE("an exception that comes after the shield was left is nobody's") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    const auto outer = shield_future([] {
      sleep(1s);
      throw std::runtime_error("late");
    });
    ticks(1);
    outer.cancel();
    sleep(2s);
  });
  CHECK(reports == std::vector<std::string>{"Task exception was never retrieved"});
}

TEST_CASE("an exception that comes in the tick in which the shield is left counts as taken") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    Future<int> inner;
    const auto outer = shield_future(inner);
    outer.cancel();
    inner.set_exception(std::runtime_error("bad"));
    ticks(3);
  });
  CHECK(reports.empty());
}

TEST_CASE("a shielded gather goes on when the shield is cancelled") {
  on_loop([] {
    const Future<int> a, b;
    const auto inner = gather_future(a, b);
    const auto outer = shield_future(inner);
    ticks(1);
    CHECK(outer.cancel());
    CHECK(!a.cancelled());
    a.set_result(1);
    b.set_result(2);
    CHECK(await(inner) == std::tuple(1, 2));
    CHECK(outer.cancelled());
  });
}

TEST_CASE("a gather of shields is cancelled, and what they shield is not") {
  on_loop([] {
    const Future<int> a, b;
    const auto shielded_a = shield_future(a), shielded_b = shield_future(b);
    const auto future = gather_future(shielded_a, shielded_b);
    CHECK(future.cancel());
    CHECK(is_cancelled([&] { await(future); }));
    CHECK(shielded_a.cancelled());
    CHECK(shielded_b.cancelled());
    CHECK(!a.done());
    CHECK(!b.done());
  });
}

TEST_CASE("shield passes on values that can't be copied") {
  on_loop([] { CHECK(*shield([] { return std::make_unique<int>(4); }) == 4); });
}

TEST_CASE("a shield that nobody awaits any more ends quietly") {
  on_loop([] {
    const Future<int> inner;
    shield_future(inner);
    shield_future(Future<int>());
    inner.set_result(1);
    ticks(2);
    CHECK(inner.result() == 1);
  });
}

TEST_CASE("shield says where it can't be called") {
  CHECK_THROWS_AS(shield([] {}), RuntimeError);
  Loop other;
  const auto future = other.create_future<int>();
  on_loop([&] {
    CHECK_THROWS_AS(shield(future), RuntimeError);
    CHECK_THROWS_AS(shield(Task<int>()), RuntimeError);
  });
}
