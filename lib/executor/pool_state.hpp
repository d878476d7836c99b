// A thread pool from inside: what its threads share, and outlives the ThreadPool if they do.

#pragma once

#include <jumpcut/thread_pool.hpp>

#include "base/own_threads.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace jumpcut::impl {

class PoolState final : public Executor, public std::enable_shared_from_this<PoolState> {
 public:
  explicit PoolState(ThreadPoolOptions options);

  void execute(std::unique_ptr<ExecutorJob> job) override;
  /// Takes no jobs any more. Whoever is given the threads joins or detaches them.
  std::vector<std::thread> close(bool cancel_jobs);
  /// Has tell() called when no thread works any more, by the last one or at once.
  void when_ended(std::function<void()> tell);
  std::size_t worker_count() const;
  /// This one was forked by the process whose threads these are: they are not here, and one of them
  /// may hold the lock for ever.
  bool is_another_process() const noexcept;

  const std::size_t max_workers;

 private:
  void work();

  const std::string name_;
  const pid_t process_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::unique_ptr<ExecutorJob>> jobs_;
  std::vector<std::thread> threads_;
  std::vector<std::function<void()>> told_;
  std::size_t idle_ = 0;   // threads that wait for a job
  std::size_t alive_ = 0;  // threads that may take another
  bool closed_ = false;
};

std::shared_ptr<PoolState> make_pool(ThreadPoolOptions options);

/// ThreadPool::shutdown. In a task: false if they have not ended after that time; then they are
/// left to themselves.
bool end_pool(const std::shared_ptr<PoolState>& pool, bool wait, bool cancel_jobs,
              std::optional<std::chrono::nanoseconds> longest);

}  // namespace jumpcut::impl
