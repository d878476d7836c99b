#include <jumpcut/testing.hpp>

#include <jumpcut/sleep.hpp>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "child.hpp"

#include <catch2/catch.hpp>

using namespace jumpcut;
using namespace std::chrono_literals;

namespace {

/// What a test framework may throw: of no known type.
struct Failure {
  int line;
};

}  // namespace

TEST_CASE("testing.run takes no time for an hour, and returns what the body returns") {
  const auto begin = std::chrono::steady_clock::now();
  const int result = testing::run([] {
    CHECK(testing::elapsed() == 0s);
    sleep(1h);
    CHECK(testing::elapsed() == 1h);
    return 7;
  });
  CHECK(result == 7);
  CHECK(std::chrono::steady_clock::now() - begin < 1h);
  auto pointer = testing::run([] { return std::make_unique<int>(1); });
  CHECK(*pointer == 1);
}

TEST_CASE("testing.run throws what the body throws, of whatever type") {
  CHECK_THROWS_AS(testing::run([] { throw Failure{3}; }), Failure);
  CHECK_THROWS_AS(testing::run([] {
                    create_task([] { sleep(1h); }).detach();  // counts less
                    throw Failure{3};
                  }),
                  Failure);
}

TEST_CASE("testing.run names the tasks that are left") {
  auto leak = [] {
    create_task([] { sleep(1h); }, {.name = "forgotten"}).detach();
    checkpoint();
  };
  CHECK_THROWS_AS(testing::run(leak), testing::LeakedTasks);
  CHECK_THROWS_WITH(testing::run(leak), Catch::Contains("task 'forgotten' waits for sleep"));
  testing::Options options;
  options.allow_leaked_tasks = true;
  testing::run(leak, options);
}

TEST_CASE("testing.run fails for an exception that nobody took") {
  auto lose = [] {
    create_task([] { throw std::range_error("lost"); }).detach();
    sleep(1s);
  };
  CHECK_THROWS_AS(testing::run(lose), testing::UnhandledErrors);
  CHECK_THROWS_WITH(testing::run(lose), Catch::Contains("lost"));
}

TEST_CASE("testing.run says deadlock where nothing can go on") {
  CHECK_THROWS_AS(testing::run([] { await(Future<>()); }), Deadlock);
}

TEST_CASE("testing.run shuffles by its seed, the same way each time") {
  auto order = [](std::uint64_t seed) {
    testing::Options options;
    options.seed = seed;
    return testing::run(
        [] {
          std::vector<int> got;
          std::vector<Task<>> tasks;
          for (int i = 0; i < 8; ++i) tasks.push_back(create_task([&, i] { got.push_back(i); }));
          for (auto& task : tasks) await(task);
          return got;
        },
        options);
  };
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CHECK(order(seed) == order(seed));
    orders.insert(order(seed));
  }
  CHECK(orders.size() > 1);
}

TEST_CASE("testing.wait_all_blocked returns when all other tasks are parked") {
  testing::run([] {
    int steps = 0;
    auto task = create_task([&] {
      for (; steps < 20; ++steps) checkpoint();
      sleep(1h);
      ++steps;
    });
    testing::wait_all_blocked();
    CHECK(steps == 20);
    CHECK(testing::elapsed() == 0s);
    await(task);
    CHECK(steps == 21);
  });
}

TEST_CASE("testing.wait_all_blocked by several tasks returns to all of them") {
  testing::run([] {
    std::vector<Task<>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(create_task([] { testing::wait_all_blocked(); }));
    testing::wait_all_blocked();
    for (auto& task : tasks) await(task);
    auto cancelled = create_task([] { testing::wait_all_blocked(); });
    checkpoint();
    cancelled.cancel();
    checkpoint();
  });
  CHECK_THROWS_AS(testing::wait_all_blocked(), RuntimeError);
  CHECK_THROWS_AS(testing::elapsed(), RuntimeError);
}

TEST_CASE("testing.explore runs the body with each seed, and names the one that fails") {
  const Ended ended = in_child([] {
    unsetenv("JUMPCUT_SEED");
    int runs = 0;
    testing::explore(5, [&] { ++runs; });
    expect(runs == 5, "five runs");
    runs = 0;
    try {
      testing::explore(5, [&] {
        if (++runs == 3) throw Failure{1};
      });
      expect(false, "thrown on");
    } catch (const Failure&) {
    }
    setenv("JUMPCUT_SEED", "3", 1);
    runs = 0;
    testing::explore(5, [&] { ++runs; });
    expect(runs == 1, "only the seed asked for");
    setenv("JUMPCUT_SEED", "x", 1);
    try {
      testing::explore(5, [] {});
      expect(false, "no number");
    } catch (const ValueError&) {
    }
  });
  CHECK(ended.exit_code == 0);
  CHECK(ended.output == "jumpcut: explore: seed 3 fails; JUMPCUT_SEED=3 runs it again\n");
}
