// retry_test: a test with Catch2 of code that waits. It tries for 15 seconds, and takes none.

#include <jumpcut/jumpcut.hpp>
#include <jumpcut/testing.hpp>

#include <stdexcept>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

/// What is tested: calls `action` until it does not throw; waits longer each time.
template <class Action>
int retry(Action action) {
  auto pause = 1s;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    try {
      action();
      return attempt;
    } catch (const std::runtime_error&) {
      jumpcut::sleep(pause);
    }
  }
}

}  // namespace

TEST_CASE("retry waits longer each time") {
  jumpcut::testing::run([] {
    const auto up_at = jumpcut::testing::elapsed() + 11s;
    const int attempts = retry([&] {
      if (jumpcut::testing::elapsed() < up_at) throw std::runtime_error("the server is down");
    });
    CHECK(attempts == 5);
    CHECK(jumpcut::testing::elapsed() == 15s);  // 1 + 2 + 4 + 8
  });
}

TEST_CASE("two who retry do not hinder each other, in whatever order they run") {
  jumpcut::testing::explore(100, [] {
    int failures = 6;
    const auto fail_at_first = [&] {
      if (failures-- > 0) throw std::runtime_error("busy");
    };
    jumpcut::gather([&] { return retry(fail_at_first); }, [&] { return retry(fail_at_first); });
    CHECK(failures == -2);
  });
}
