// jumpcut/gather.hpp: what becomes of a gather that failed, or that nobody holds any more.

#include <jumpcut/gather.hpp>

#include <jumpcut/call_graph.hpp>

#include "on_loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::all_tasks, jumpcut::AnyFuture, jumpcut::await, jumpcut::ErrorContext;
using jumpcut::Future, jumpcut::gather_future, jumpcut::get_running_loop;

TEST_CASE("a gather that is dropped goes on by itself") {
  on_loop([] {
    int ran = 0;
    gather_future([&] { value_after(2, ++ran); }, [&] { ++ran; });
    ticks(1);
    CHECK(ran == 2);
    ticks(5);
    CHECK(all_tasks().size() == 1);
  });
}

TEST_CASE("a gather that failed lets go of what it waited for") {
  on_loop([] {
    const auto token = std::make_shared<int>();
    std::optional<Future<int>> never(std::in_place);
    never->add_done_callback([token] {});
    const auto both = gather_future(*never, [] { return fail_after(1, "one"); });
    CHECK_THROWS_WITH(await(both), "one");
    CHECK(token.use_count() == 2);
    never.reset();
    CHECK(token.use_count() == 1);
  });
}

TEST_CASE("a gather that nobody has a handle of lets go of what nobody else has") {
  on_loop([] {
    const auto token = std::make_shared<int>();
    for (const bool gather_first : {false, true}) {
      std::optional<Future<int>> never(std::in_place);
      never->add_done_callback([token] {});
      auto both = gather_future(*never, [] { return value_after(1, 1); });
      if (gather_first) both = decltype(both)(nullptr);
      never.reset();
      CHECK(token.use_count() == (gather_first ? 1 : 2));
      both = decltype(both)(nullptr);
      CHECK(token.use_count() == 1);
      ticks(3);
    }
  });
}

TEST_CASE("a gather without a handle still has values for its callbacks") {
  on_loop([] {
    const Future<int> future;
    int sum = 0;
    gather_future(future, [] {
      return value_after(1, 1);
    }).add_done_callback([&](const Future<std::tuple<int, int>>& both) {
      sum = std::get<0>(both.result()) + std::get<1>(both.result());
    });
    future.set_result(4);
    ticks(5);
    CHECK(sum == 5);
  });
}

TEST_CASE("a gather without a handle is reported if it fails later, or was told to end") {
  std::vector<std::string> reports;
  on_loop([&] {
    get_running_loop().set_exception_handler(
        [&](const ErrorContext& context) { reports.push_back(context.message); });
    const Future<int> future;
    gather_future(future, [] { return value_after(1, 1); });
    ticks(5);
    future.set_exception(Boom("late"));
    ticks(5);
    CHECK(reports.size() == 1);
    gather_future([] { return value_after(1, 1); }).cancel();
    ticks(5);
  });
  CHECK(reports == std::vector<std::string>(2, "Future exception was never retrieved"));
}

TEST_CASE("a gather that was let go, and is found again, can't be told to end") {
  on_loop([] {
    const Future<int> future;
    gather_future(future, [] { return value_after(1, 1); });
    ticks(1);
    const auto graph = jumpcut::capture_call_graph(future);
    REQUIRE(graph->awaited_by.size() == 1);
    const AnyFuture found = graph->awaited_by.front().future;
    CHECK(!found.cancel());
    future.set_result(1);
    ticks(5);
    CHECK(!found.done());
  });
}
