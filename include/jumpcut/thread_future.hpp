#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/thread_state.hpp>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// A value that comes from another thread or another thread's loop: concurrent.futures.Future, what
/// a Future is for tasks. Copies refer to the same one. Any thread may use it.
template <class T = void>
class ThreadFuture {
 public:
  using value_type = T;
  using State = impl::ThreadStateOf<T>;

  /// None, to be assigned to.
  ThreadFuture() noexcept = default;
  explicit ThreadFuture(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  explicit operator bool() const noexcept { return state_ != nullptr; }
  const std::shared_ptr<State>& ref() const noexcept { return state_; }

  bool done() const { return state("done").is_done(); }
  bool cancelled() const { return state("cancelled").is_cancelled(); }

  /// Cancels it, if its job has not begun, or the task that it stands for, which is told to end a
  /// little later. Returns false if it is too late for that, or was done.
  bool cancel() const { return state("cancel").cancel(); }

  /// Waits until it is done, and returns its value or throws what it failed with, or Cancelled. In
  /// a task only the task waits; anywhere else it blocks the thread. A value that can't be copied
  /// is moved to who asks first. Throws RuntimeError outside of tasks in the thread of the loop
  /// that it waits for, which would never come to it.
  T get() const {
    State& state = this->state("get");
    state.get();
    if constexpr (!std::is_void_v<T>) return state.value();
  }

  /// Waits in the same way, but no longer than that. Returns whether it is done.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> longest) const {
    return state("wait_for")
        .wait(std::chrono::nanoseconds(impl::saturated_nanoseconds(longest)),
              "ThreadFuture.wait_for");
  }

 private:
  State& state(const char* call) const {
    if (state_ == nullptr) [[unlikely]]
      impl::throw_no_future(call);
    return *state_;
  }

  std::shared_ptr<State> state_;
};

/// await(future) is future.get(), which waits.
template <class T>
T jumpcut_await(const ThreadFuture<T>& future) {
  return future.get();
}

}  // namespace jumpcut
