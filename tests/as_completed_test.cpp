// jumpcut/as_completed.hpp: several things, in the order in which they end.

#include <jumpcut/as_completed.hpp>

#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::all_tasks;
using jumpcut::AnyFuture;
using jumpcut::as_completed;
using jumpcut::create_task;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::Loop;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::TimeoutError;
using jumpcut::ValueError;

TEST_CASE("as_completed gives values in the order in which the tasks end") {
  on_loop([] {
    std::vector<int> values;
    for (auto next : as_completed(sleepers({3, 1, 2}))) values.push_back(await(next));
    CHECK(values == std::vector<int>{1, 2, 3});
    CHECK(elapsed() == 3s);
  });
}

TEST_CASE("as_completed().tasks() gives the tasks themselves, done") {
  on_loop([] {
    const auto tasks = sleepers({3, 1, 2});
    std::vector<Task<int>> ended;
    for (const auto& task : as_completed(tasks).tasks()) {
      CHECK(task.done());
      ended.push_back(task);
    }
    CHECK(ended == std::vector{tasks[1], tasks[2], tasks[0]});
  });
}

TEST_CASE("the loop over as_completed does not wait, await() does") {
  on_loop([] {
    int count = 0;
    const auto tasks = sleepers({1, 2});
    for (auto next : as_completed(tasks)) static_cast<void>(next), ++count;
    CHECK(count == 2);
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("what as_completed gives throws what its task throws, and the loop can go on") {
  on_loop([] {
    std::vector<std::function<int()>> functions;
    functions.emplace_back([] {
      sleep(2s);
      return 2;
    });
    functions.emplace_back([]() -> int { throw std::runtime_error("bad"); });
    std::string order;
    for (auto next : as_completed(functions)) {
      try {
        order += std::to_string(await(next)) + ' ';
      } catch (const std::runtime_error& error) {
        order += std::string(error.what()) + ' ';
      }
    }
    CHECK(order == "bad 2 ");
  });
}

TEST_CASE("a cancelled task throws Cancelled at the await of as_completed") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    tasks[0].cancel();
    int cancelled = 0;
    for (auto next : as_completed(tasks)) cancelled += is_cancelled([&] { await(next); });
    CHECK(cancelled == 1);
  });
}

TEST_CASE("as_completed makes tasks of functions at once, in order") {
  on_loop([] {
    std::string order;
    std::vector<std::function<void()>> functions{[&] { order += 'a'; }, [&] { order += 'b'; }};
    const auto completed = as_completed(functions);
    CHECK(all_tasks().size() == 3);
    ticks(1);
    CHECK(order == "ab");
    for (auto task : completed.tasks()) {
      static_assert(std::is_same_v<decltype(task), Task<void>>);
      CHECK(task.done());
    }
  });
}

TEST_CASE("as_completed counts each future once") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    int count = 0;
    for (auto next : as_completed({tasks[0], tasks[1], tasks[0]})) await(next), ++count;
    CHECK(count == 2);
  });
}

TEST_CASE("as_completed of nothing gives nothing") {
  on_loop([] {
    for (auto next : as_completed(std::vector<Task<int>>(), 1s)) {
      await(next);
      FAIL();
    }
    for (auto task : as_completed(std::vector<Task<int>>()).tasks()) {
      static_cast<void>(task);
      FAIL();
    }
    CHECK(get_running_loop().stats().timers == 0);
  });
}

TEST_CASE("each await throws TimeoutError once as_completed's time is over, and the tasks go on") {
  on_loop([] {
    const auto tasks = sleepers({1, 5, 6});
    int value = 0, late = 0;
    for (auto next : as_completed(tasks, 2s)) {
      try {
        value += await(next);
      } catch (const TimeoutError&) {
        ++late;
      }
    }
    CHECK(value == 1);
    CHECK(late == 2);
    CHECK(elapsed() == 2s);
    CHECK(await(tasks[2]) == 6);
    CHECK(tasks[2].cancelling() == 0);
  });
}

TEST_CASE("once its time is over, as_completed leaves and takes nothing more of the futures") {
  on_loop([] {
    const auto value = std::make_shared<int>();
    std::vector<Future<std::shared_ptr<int>>> futures(2);
    // As the time is over, the first is done, and its callback on its way.
    get_running_loop().call_later(1s, [value, late = futures[0]] { late.set_result(value); });
    const auto completed = as_completed(futures, 1s);
    for (auto next : completed) CHECK_THROWS_AS(await(next), TimeoutError);
    ticks(2);
    CHECK(listeners_of(futures[1]) == 0);
    futures.clear();
    CHECK(value.use_count() == 1);
  });
}

TEST_CASE("a loop over as_completed().tasks() throws TimeoutError itself") {
  on_loop([] {
    const auto tasks = sleepers({1, 5});
    int count = 0;
    try {
      for (auto task : as_completed(tasks, 2s).tasks()) count += task.result();
      FAIL();
    } catch (const TimeoutError&) {
    }
    CHECK(count == 1);
    CHECK(elapsed() == 2s);
    CHECK(!tasks[1].done());
  });
}

TEST_CASE("as_completed gives up a timeout that it did not need") {
  on_loop([] {
    for (auto next : as_completed(sleepers({1}), 60s)) await(next);
    CHECK(get_running_loop().stats().timers == 0);
  });
}

TEST_CASE("a loop over as_completed can be left and taken up again") {
  on_loop([] {
    const auto completed = as_completed(sleepers({2, 1, 3}));
    std::vector<int> values;
    for (auto next : completed) {
      values.push_back(await(next));
      break;
    }
    for (const auto& task : completed.tasks()) values.push_back(task.result());
    CHECK(values == std::vector<int>{1, 2, 3});
  });
}

TEST_CASE("an as_completed that is dropped leaves its tasks alone") {
  on_loop([] {
    const auto tasks = sleepers({1, 2});
    for (auto next : as_completed(tasks, 60s)) {
      CHECK(await(next) == 1);
      break;
    }
    CHECK(await(tasks[1]) == 2);
    CHECK(get_running_loop().stats().timers == 0);
  });
}

TEST_CASE("who awaits last what as_completed gave first gets what ends last") {
  on_loop([] {
    std::vector<jumpcut::NextCompleted<int>> all;
    for (auto next : as_completed(sleepers({1, 2}))) all.push_back(next);
    CHECK(await(all[1]) == 1);
    CHECK(await(all[0]) == 2);
  });
}

TEST_CASE("what as_completed gives can be awaited by several tasks") {
  on_loop([] {
    std::vector<Task<int>> waiting;
    for (auto next : as_completed(sleepers({2, 1}))) {
      waiting.push_back(create_task([next] { return await(next); }));
    }
    CHECK(await(waiting[0]) == 1);
    CHECK(await(waiting[1]) == 2);
  });
}

TEST_CASE("who awaits what as_completed gives may be overtaken, and waits for the next") {
  on_loop([] {
    const std::vector<Future<int>> both{Future<int>(), Future<int>()};
    std::vector<std::function<int()>> next;
    for (auto one : as_completed(both)) next.push_back([one] { return await(one); });
    const auto patient = create_task(next[0]);
    ticks(1);
    both[0].set_result(7);
    const auto quick = create_task(next[1]);  // begins when the other was woken, and has not run
    CHECK(await(quick) == 7);
    ticks(1);
    CHECK(!patient.done());
    both[1].set_result(8);
    CHECK(await(patient) == 8);
  });
}

TEST_CASE("a task that was woken for a completion and is cancelled leaves it to the next") {
  on_loop([] {
    const std::vector<Future<int>> both{Future<int>(), Future<int>()};
    std::vector<Task<int>> waiting;
    for (auto next : as_completed(both)) {
      waiting.push_back(create_task([next] { return await(next); }));
    }
    ticks(1);
    both[0].set_result(7);
    ticks(1);  // the first is ready
    waiting[0].cancel();
    CHECK(is_cancelled([&] { await(waiting[0]); }));
    CHECK(await(waiting[1]) == 7);
    both[1].set_result(8);
  });
}

TEST_CASE("what as_completed gives can be awaited once") {
  on_loop([] {
    for (auto next : as_completed(sleepers({1}))) {
      CHECK(await(next) == 1);
      CHECK_THROWS_AS(await(next), RuntimeError);
    }
  });
}

TEST_CASE("await of a completion that is there already does not switch") {
  on_loop([] {
    const auto completed = as_completed(sleepers({1, 2}));
    sleep(5s);
    const OthersTurn others;
    int sum = 0;
    for (auto next : completed) sum += await(next);
    CHECK(sum == 3);
    CHECK(!others.came());
  });
}

TEST_CASE("as_completed moves values that can't be copied") {
  on_loop([] {
    std::vector<std::function<std::unique_ptr<int>()>> functions(
        2, [] { return std::make_unique<int>(2); });
    int sum = 0;
    for (auto next : as_completed(functions)) sum += *await(next);
    CHECK(sum == 4);
  });
}

TEST_CASE("as_completed takes futures of different types") {
  on_loop([] {
    const Future<std::string> future;
    const std::vector<AnyFuture> futures{future, create_task([&] { future.set_result("x"); })};
    std::vector<AnyFuture> ended;
    for (const auto& one : as_completed(futures).tasks()) ended.push_back(one);
    CHECK(ended == std::vector{futures[0], futures[1]});
    for (auto next : as_completed(futures)) await(next);
  });
}

TEST_CASE("as_completed says where it can't be called") {
  CHECK_THROWS_AS(as_completed(std::vector<std::function<void()>>{[] {}}), RuntimeError);
  Loop other;
  const std::vector<Future<int>> futures{other.create_future<int>()};
  on_loop([&] { CHECK_THROWS_AS(as_completed(futures), ValueError); });
}
