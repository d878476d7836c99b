#include "executor/loop_executor.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/threadsafe.hpp>

#include "base/check.hpp"
#include "executor/pool_state.hpp"

#include <string>
#include <utility>

namespace jumpcut::impl {

LoopExecutor& LoopExecutor::of(LoopState& loop) {
  for (const auto& part : loop.parts) {
    if (auto* found = dynamic_cast<LoopExecutor*>(part.get())) return *found;
  }
  loop.parts.push_back(std::make_unique<LoopExecutor>(loop));
  return static_cast<LoopExecutor&>(*loop.parts.back());
}

Executor& LoopExecutor::pool(const char* call) {
  if (is_shut_down_) {
    throw RuntimeError(std::string(call) + ": the loop ends, and its thread pool is shut down");
  }
  if (pool_ == nullptr) pool_ = make_pool({});
  return *pool_;
}

void LoopExecutor::add(ExecutorFutureBase& future) noexcept {
  future.add_ref();
  future.next = first_;
  if (first_ != nullptr) first_->previous = &future;
  first_ = &future;
}

void LoopExecutor::remove(ExecutorFutureBase& future) noexcept {
  if (future.next != nullptr) future.next->previous = future.previous;
  (future.previous != nullptr ? future.previous->next : first_) = future.next;
  future.next = future.previous = nullptr;
  future.drop_ref();
}

void LoopExecutor::shut_down(bool may_wait) {
  is_shut_down_ = true;
  if (pool_ != nullptr) end_pool(may_wait);
  if (may_wait) return;
  while (first_ != nullptr) first_->abandon();
  for (const auto& follower : std::exchange(followers_, {})) {
    if (follower->task.done()) follower->end();
    follower->task = {};
    fail_closed(*follower->state);
  }
}

void LoopExecutor::end_pool(bool may_wait) {
  if (!may_wait) {
    jumpcut::impl::end_pool(pool_, false, false, std::nullopt);
  } else {
    if (!jumpcut::impl::end_pool(pool_, true, false, loop_.options.executor_shutdown_timeout)) {
      warn("the loop's thread pool did not end in time: its threads are left to themselves");
    }
  }
  pool_.reset();
}

Executor& default_executor(const char* call) {
  return LoopExecutor::of(LoopState::running(call)).pool(call);
}

}  // namespace jumpcut::impl
