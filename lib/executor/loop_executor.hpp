// What a loop knows of the threads that work for it, or wait for it.

#pragma once

#include <jumpcut/impl/executor_future.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/thread_pool.hpp>

#include "loop/loop_state.hpp"

#include <memory>
#include <unordered_set>

namespace jumpcut::impl {

/// A task that a ThreadFuture stands for. `task` is the loop's thread's alone; none when it is
/// done.
struct Follower {
  /// The future ends as the task did.
  void end();

  AnyTask task;
  std::shared_ptr<ThreadState> state;
  void (*store)(ThreadState& state, FutureBase& task);
};

class PoolState;

class LoopExecutor final : public LoopPart {
 public:
  static LoopExecutor& of(LoopState& loop);

  explicit LoopExecutor(LoopState& loop) noexcept : loop_(loop) {}

  /// Made when it is first needed.
  Executor& pool(const char* call);

  /// The list of futures whose jobs are in some executor's hands; it holds a reference to each.
  void add(ExecutorFutureBase& future) noexcept;
  void remove(ExecutorFutureBase& future) noexcept;
  /// The tasks that other threads wait for.
  void add(std::shared_ptr<Follower> follower) { followers_.insert(std::move(follower)); }
  void remove(const std::shared_ptr<Follower>& follower) { followers_.erase(follower); }

  void shut_down(bool may_wait) override;

 private:
  void end_pool(bool may_wait);

  LoopState& loop_;
  std::shared_ptr<PoolState> pool_;
  bool is_shut_down_ = false;
  ExecutorFutureBase* first_ = nullptr;
  std::unordered_set<std::shared_ptr<Follower>> followers_;
};

}  // namespace jumpcut::impl
