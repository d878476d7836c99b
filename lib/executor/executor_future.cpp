#include <jumpcut/impl/executor_future.hpp>

#include <jumpcut/cancelled.hpp>

#include "executor/loop_executor.hpp"
#include "loop/loop_state.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace jumpcut::impl {

/// The way of a job's end to its loop: the post itself, and whom it concerns there. The job's
/// thread has a reference, and the future; the loop may be gone when it is used.
class Arrival final : public PostedCallback, public std::enable_shared_from_this<Arrival> {
 public:
  Arrival(LoopState& loop, ExecutorFutureBase& future, bool is_job)
      : posts_(loop.posts),
        outsiders_(loop.outsiders),
        count_(is_job ? outsiders_->threads : outsiders_->callbacks),
        future_(&future) {
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  ~Arrival() { stop_counting(); }

  /// From any thread, once.
  void send() noexcept {
    posted_ = shared_from_this();
    if (!posts_->push(*this)) posted_.reset();
  }
  void run() override {
    if (future_ != nullptr) future_->arrive();
  }
  void dispose() noexcept override { const auto last = std::move(posted_); }

  /// The loop does not wait for it, as it waits for threads at work. On the loop's side, so that it
  /// looks for what to do next when the count has changed.
  void stop_counting() noexcept {
    if (std::exchange(counted_, false)) {
      count_.fetch_sub(1, std::memory_order_release);
    }
  }
  void forget_future() noexcept { future_ = nullptr; }

 private:
  const std::shared_ptr<PostQueue> posts_;
  const std::shared_ptr<Outsiders> outsiders_;
  std::atomic<std::int64_t>& count_;  // which of those it is in
  std::shared_ptr<Arrival> posted_;
  ExecutorFutureBase* future_;  // the loop's thread's alone, as is what follows
  bool counted_ = true;
};

ExecutorFutureBase::ExecutorFutureBase(TaskSpace& space, std::shared_ptr<ThreadState> source,
                                       bool shared)
    : FutureBase(space), source_(std::move(source)), shared_(shared) {}

void ExecutorFutureBase::begin() {
  LoopState& loop = LoopState::of(*space_->loop);
  arrival_ = std::make_shared<Arrival>(loop, *this, !source_->is_of_loop());
  LoopExecutor::of(loop).add(*this);
  try {
    source_->listen([arrival = arrival_] { arrival->send(); });
  } catch (...) {
    land();
    throw;
  }
}

bool ExecutorFutureBase::cancel(const std::exception_ptr& cancelled) {
  if (!FutureBase::cancel(cancelled)) return false;
  if (arrival_ != nullptr) arrival_->stop_counting();
  source_->cancel();
  return true;
}

void ExecutorFutureBase::arrive() {
  const Ref<ExecutorFutureBase> held(this);
  land();
  if (is_done()) return;
  if (source_->is_cancelled()) {
    FutureBase::cancel(make_cancelled({}));
  } else if (const std::exception_ptr error = shared_ ? source_->error() : source_->take_error()) {
    if (jumpcut::impl::is_cancelled(error)) {
      FutureBase::cancel(error);
    } else {
      fail(error);
    }
  } else {
    take_value();
    finish();
  }
}

void ExecutorFutureBase::abandon() noexcept {
  land();
}

/// Nothing is in flight any more.
void ExecutorFutureBase::land() noexcept {
  arrival_->stop_counting();
  arrival_->forget_future();
  arrival_.reset();
  LoopExecutor::of(LoopState::of(*space_->loop)).remove(*this);
}

}  // namespace jumpcut::impl
