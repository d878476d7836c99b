#pragma once

#include <jumpcut/context.hpp>
#include <jumpcut/loop.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace jumpcut {

struct RunOptions {
  bool debug = false;
  /// Whose time the loop keeps; null for the steady clock.
  Clock* clock = nullptr;
  std::optional<std::uint64_t> seed = std::nullopt;
  /// SIGINT cancels the main task, and run() throws Interrupted.
  bool handle_sigint = true;
  /// The main task's.
  std::string_view name = {};
  std::size_t stack_size = 0;
  /// All that a Loop can be told; the fields above count more.
  LoopOptions loop = {};
};

/// One loop for several runs: asyncio.Runner. All of them share one context. Belongs to the thread
/// that first runs something.
class JUMPCUT_API Runner {
 public:
  explicit Runner(const RunOptions& options = {});
  /// Closes it. What close() throws is written to standard error.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Runs function() as a task; returns what it returns, or throws what it throws. Throws
  /// Interrupted if SIGINT came and the task ended as cancelled, or was done already; RuntimeError
  /// if a loop runs in this thread, and after close().
  template <class Function>
  auto run(Function&& function) {
    Loop& loop = loop_to_run();
    const auto task = loop.create_task(std::forward<Function>(function), main_options());
    run_main(task);
    return task.result();
  }

  /// Made when it is first needed.
  Loop& get_loop();
  /// Cancels all tasks and waits for them, reports their errors, ends the executor's threads, and
  /// closes the loop. Does nothing the second time.
  void close();

 private:
  Loop& loop_to_run();
  TaskOptions main_options() const;
  void run_main(const AnyTask& task);

  RunOptions options_;
  const std::string name_;
  std::unique_ptr<Loop> loop_;
  std::optional<Context> context_;
  bool closed_ = false;
};

/// Runs function() as the main task of a loop of its own: asyncio.run. When it has ended, all other
/// tasks are cancelled and awaited, and the loop is closed; then what it returned is returned, or
/// what it threw is thrown. Throws RuntimeError if a loop runs in this thread.
template <class Function>
auto run(Function&& function, const RunOptions& options = {}) {
  Runner runner(options);
  using Result = decltype(runner.run(std::forward<Function>(function)));
  if constexpr (std::is_void_v<Result>) {
    runner.run(std::forward<Function>(function));
    runner.close();
  } else {
    Result result = runner.run(std::forward<Function>(function));
    runner.close();
    return result;
  }
}

}  // namespace jumpcut
