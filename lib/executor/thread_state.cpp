#include <jumpcut/impl/thread_state.hpp>

#include <jumpcut/await_callback.hpp>
#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "loop/loop_state.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace jumpcut::impl {

bool ThreadState::begin() noexcept {
  const std::lock_guard lock(mutex_);
  if (state_ != State::pending) return false;
  state_ = State::running;
  return true;
}

bool ThreadState::cancel() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::pending) return state_ == State::cancelled;
    state_ = State::running;  // nobody else ends it
  }
  end(State::cancelled, nullptr);
  return true;
}

void ThreadState::end(State state, std::exception_ptr error) {
  std::vector<std::pair<std::uint64_t, std::function<void()>>> listeners;
  {
    const std::lock_guard lock(mutex_);
    state_ = state;
    error_ = std::move(error);
    listeners.swap(listeners_);
    ended_.notify_all();
  }
  for (const auto& [number, listener] : listeners) listener();
}

bool ThreadState::is_done() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_ == State::finished || state_ == State::cancelled;
}

bool ThreadState::is_cancelled() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_ == State::cancelled;
}

std::exception_ptr ThreadState::error() const noexcept {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::exception_ptr ThreadState::take_error() noexcept {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, nullptr);
}

std::uint64_t ThreadState::listen(std::function<void()> listener) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::pending || state_ == State::running) {
      listeners_.emplace_back(++numbers_, std::move(listener));
      return numbers_;
    }
  }
  listener();
  return 0;
}

void ThreadState::forget(std::uint64_t number) noexcept {
  std::function<void()> forgotten;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto place = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&](const auto& one) { return one.first == number; });
  if (place == listeners_.end()) return;
  forgotten.swap(place->second);
  listeners_.erase(place);
}

bool ThreadState::wait(std::optional<std::chrono::nanoseconds> longest, const char* call) {
  if (is_done()) return true;
  if (TaskBase::current() != nullptr) {
    std::uint64_t number = 0;
    // A virtual clock waits for a thread that works, as it does in to_thread.
    std::optional<AtWork> at_work;
    if (thread_ == nullptr) at_work.emplace(*LoopState::running(call).outsiders);
    try {
      await_callback<>([&](auto done) { number = listen([done = std::move(done)] { done(); }); },
                       {.timeout = longest, .cancel = [&] { forget(number); }});
    } catch (const TimeoutError&) {
    }
    return is_done();
  }
  if (thread_ == &this_core) {
    throw RuntimeError(std::string(call) +
                       ": it waits for this thread's own loop, which could not go on meanwhile; "
                       "wait for it in a task, or in another thread");
  }
  std::unique_lock lock(mutex_);
  const auto done = [&] { return state_ == State::finished || state_ == State::cancelled; };
  if (longest.has_value()) {
    return ended_.wait_until(lock, deadline_after(SteadyClock::instance().now(), *longest), done);
  }
  ended_.wait(lock, done);
  return true;
}

void ThreadState::get() {
  wait(std::nullopt, "ThreadFuture.get");
  if (is_cancelled()) throw Cancelled();
  if (const std::exception_ptr failed = error()) std::rethrow_exception(failed);
}

}  // namespace jumpcut::impl
