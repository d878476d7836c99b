#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/run.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// For tests of code that awaits, in any test framework: bodies run on a virtual clock, so that an
/// hour takes no time and each run sees the same order.
namespace jumpcut::testing {

/// The body returned while tasks that it started were not done. The text names them and what they
/// wait for.
class JUMPCUT_API LeakedTasks : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Something was told to the loop's exception handler, for lack of anybody else: an exception of a
/// task that nobody awaited, or of a callback. The text has all of them.
class JUMPCUT_API UnhandledErrors : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  /// Shuffles what is ready, the same way each time.
  std::optional<std::uint64_t> seed = std::nullopt;
  bool debug = false;
  /// Tasks may be left when the body returns; they are cancelled.
  bool allow_leaked_tasks = false;
  /// What nobody took is written to standard error, as usual, and is no failure.
  bool allow_unhandled_errors = false;
  /// All else that a loop can be told; its clock is the virtual one.
  LoopOptions loop = {};
};

/// Time on the virtual clock since run() began. Throws RuntimeError outside a task.
JUMPCUT_API std::chrono::nanoseconds elapsed();

/// Waits until every other task is parked, and has nothing to do before time passes. Never returns
/// while some task goes on without ever waiting for anything but its turn. Throws Cancelled.
JUMPCUT_API void wait_all_blocked();

namespace impl {

/// What one run keeps an eye on.
class JUMPCUT_API Watch {
 public:
  explicit Watch(const Options& options) : options_(options) {}
  RunOptions run_options();
  void begin();
  /// In the main task, when the body has returned.
  void end();
  /// After the loop's end: throws LeakedTasks, UnhandledErrors.
  void check() const;

 private:
  const Options& options_;
  VirtualClock clock_;
  std::string leaked_;
  std::string errors_;
};

/// Calls function(seed) for 1 to `seeds`, or for JUMPCUT_SEED alone if that is set; names the seed
/// it throws at on standard error.
JUMPCUT_API void for_each_seed(std::size_t seeds,
                               const std::function<void(std::uint64_t)>& function);

}  // namespace impl

/// Runs body() as the main task of a loop on a virtual clock. Returns what it returns, and throws
/// what it throws, of whatever type, so REQUIRE and ASSERT work inside. Then all tasks that are
/// left are cancelled and the loop is closed. Throws LeakedTasks and UnhandledErrors, Deadlock if
/// nothing can ever go on, RuntimeError if a loop runs in this thread.
template <class Body>
auto run(Body&& body, const Options& options = {}) {
  using Result = std::invoke_result_t<std::decay_t<Body>&>;
  jumpcut::impl::refuse_null(body, "testing::run");
  impl::Watch watch(options);
  auto watched = [&]() -> Result {
    watch.begin();
    if constexpr (std::is_void_v<Result>) {
      body();
      watch.end();
    } else {
      Result result = body();
      watch.end();
      return result;
    }
  };
  if constexpr (std::is_void_v<Result>) {
    jumpcut::run(watched, watch.run_options());
    watch.check();
  } else {
    Result result = jumpcut::run(watched, watch.run_options());
    watch.check();
    return result;
  }
}

/// Runs the body so many times, each with another order of what is ready: with the seeds from 1. At
/// the first that throws, the seed is written to standard error, and what it threw is thrown on. To
/// see that one again, run the test with JUMPCUT_SEED set to the seed: explore() then runs no
/// other.
template <class Body>
void explore(std::size_t seeds, Body&& body, const Options& options = {}) {
  impl::for_each_seed(seeds, [&](std::uint64_t seed) {
    Options seeded = options;
    seeded.seed = seed;
    testing::run(body, seeded);
  });
}

}  // namespace jumpcut::testing
