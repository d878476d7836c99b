#pragma once

#include <jumpcut/executor.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace jumpcut {

namespace impl {
class PoolState;
}  // namespace impl

struct ThreadPoolOptions {
  /// How many threads it may have; 0 for as many as the process may use processors and four more,
  /// but no more than 32.
  std::size_t max_workers = 0;
  /// Its threads are called that, with a number.
  std::string name = "jumpcut";
};

/// Threads that run jobs, in the order in which they were submitted: ThreadPoolExecutor. A thread
/// is started when a job comes and none is idle, until there are max_workers. A forked process
/// has none of them: there execute() throws RuntimeError, and shutdown() does nothing.
class JUMPCUT_API ThreadPool final : public Executor {
 public:
  /// Throws ValueError for more threads than can be numbered: 100,000.
  explicit ThreadPool(ThreadPoolOptions options = {});
  /// As shutdown() does, but blocks the thread, in a task too: call that before, if a job may need
  /// the loop.
  ~ThreadPool() override;

  /// Throws RuntimeError after shutdown(), std::system_error if it has no thread and can't start
  /// one.
  void execute(std::unique_ptr<ExecutorJob> job) override;

  /// Waits until all jobs are done and the threads have ended, if `wait`; otherwise they go on by
  /// themselves. Takes no jobs any more; with `cancel_jobs`, those that have not begun are
  /// cancelled. Parks a task, blocks any other thread. Throws RuntimeError in one of its own
  /// threads.
  void shutdown(bool wait = true, bool cancel_jobs = false);

  std::size_t max_workers() const noexcept;
  /// Threads that were started.
  std::size_t worker_count() const;

 private:
  std::shared_ptr<impl::PoolState> state_;
};

}  // namespace jumpcut
