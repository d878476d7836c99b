#include <jumpcut/thread_pool.hpp>

#include <jumpcut/await_callback.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "base/check.hpp"
#include "executor/pool_state.hpp"
#include "executor/processors.hpp"
#include "executor/start_thread.hpp"
#include "loop/loop_state.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <unistd.h>

namespace jumpcut {

namespace impl {

PoolState::PoolState(ThreadPoolOptions options)
    : max_workers(options.max_workers), name_(std::move(options.name)), process_(getpid()) {}

bool PoolState::is_another_process() const noexcept {
  return getpid() != process_;
}

void PoolState::execute(std::unique_ptr<ExecutorJob> job) {
  if (is_another_process()) {
    throw RuntimeError(
        "submit: the threads of this ThreadPool are in the process that forked this one; make a "
        "new one");
  }
  const std::lock_guard lock(mutex_);
  if (closed_) throw RuntimeError("submit: the ThreadPool is shut down, and takes no jobs");
  jobs_.push_back(std::move(job));
  // Those that are idle take a job each.
  if (jobs_.size() > idle_ && threads_.size() < max_workers) {
    try {
      const std::string name = name_ + "-" + std::to_string(threads_.size() + 1);
      threads_.reserve(threads_.size() + 1);
      threads_.push_back(start_thread("submit", "ThreadPool", name,
                                      [pool = shared_from_this()] { pool->work(); }));
      ++alive_;
    } catch (const std::exception&) {  // no thread, no memory
      if (threads_.empty()) {
        jobs_.pop_back();
        throw;
      }
    }
  }
  work_.notify_one();
}

/// What each thread does.
void PoolState::work() {
  std::optional<OwnThread> own(std::in_place);
  std::vector<std::function<void()>> told;
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      while (jobs_.empty() && !closed_) {
        ++idle_;
        work_.wait(lock);
        --idle_;
      }
      if (jobs_.empty()) break;
      std::unique_ptr<ExecutorJob> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      own.reset();  // a job may post to any loop
      job->run();
      own.emplace();  // before the loop is told: it may have nobody else to wait for
      job->publish();
      job.reset();
      lock.lock();
    }
    if (--alive_ == 0) told.swap(told_);
  }
  for (const auto& tell : told) tell();
}

std::vector<std::thread> PoolState::close(bool cancel_jobs) {
  if (is_another_process()) return {};
  std::deque<std::unique_ptr<ExecutorJob>> cancelled;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (cancel_jobs) cancelled.swap(jobs_);
  work_.notify_all();
  return std::exchange(threads_, {});
}

void PoolState::when_ended(std::function<void()> tell) {
  if (!is_another_process()) {
    const std::lock_guard lock(mutex_);
    if (alive_ > 0) return told_.push_back(std::move(tell));
  }
  tell();
}

std::size_t PoolState::worker_count() const {
  if (is_another_process()) return 0;
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

bool end_pool(const std::shared_ptr<PoolState>& pool, bool wait, bool cancel_jobs,
              std::optional<std::chrono::nanoseconds> longest) {
  std::vector<std::thread> threads = pool->close(cancel_jobs);
  const auto detach = [&] {
    for (std::thread& thread : threads) thread.detach();
    threads.clear();
  };
  for (const std::thread& thread : threads) {
    if (wait && thread.get_id() == std::this_thread::get_id()) {
      detach();
      throw RuntimeError(
          "shutdown: a thread of the pool can't wait for itself; shut it down in another thread");
    }
  }
  try {
    if (wait && TaskBase::current() != nullptr) {
      // Idle threads don't count as such that may wake the loop, but now each is to tell it.
      const AtWork at_work(*LoopState::running("shutdown").outsiders);
      await_callback<>([&](auto done) { pool->when_ended([done = std::move(done)] { done(); }); },
                       {.timeout = longest});
    }
  } catch (const TimeoutError&) {
    detach();
    return false;
  } catch (...) {
    detach();
    throw;
  }
  if (!wait) detach();
  for (std::thread& thread : threads) thread.join();
  return true;
}

}  // namespace impl

Executor::~Executor() = default;

namespace impl {

std::exception_ptr job_error() noexcept {
  std::exception_ptr error = std::current_exception();
  // What unwinds a thread that ends itself is no C++ exception.
  if (error == nullptr) {
    fail(
        "a job of an executor ended its thread, by pthread_exit() or as pthread_cancel() asked; "
        "let "
        "it return or throw instead");
  }
  return error;
}

std::shared_ptr<PoolState> make_pool(ThreadPoolOptions options) {
  if (options.max_workers > 100'000) {
    throw ValueError("ThreadPool: max_workers is " + std::to_string(options.max_workers) +
                     ", and 100,000 is the most");
  }
  if (options.max_workers == 0) {
    options.max_workers = std::min<std::size_t>(32, usable_processors().size() + 4);
  }
  return std::make_shared<PoolState>(std::move(options));
}

}  // namespace impl

ThreadPool::ThreadPool(ThreadPoolOptions options) : state_(impl::make_pool(std::move(options))) {}

ThreadPool::~ThreadPool() {
  for (std::thread& thread : state_->close(false)) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

void ThreadPool::execute(std::unique_ptr<ExecutorJob> job) {
  state_->execute(std::move(job));
}

void ThreadPool::shutdown(bool wait, bool cancel_jobs) {
  impl::end_pool(state_, wait, cancel_jobs, std::nullopt);
}

std::size_t ThreadPool::max_workers() const noexcept {
  return state_->max_workers;
}

std::size_t ThreadPool::worker_count() const {
  return state_->worker_count();
}

}  // namespace jumpcut
