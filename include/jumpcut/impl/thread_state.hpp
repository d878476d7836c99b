#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/handle_state.hpp>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut::impl {

/// The untyped half of a ThreadFuture: what threads wait for, as tasks wait for a FutureBase. It is
/// pending until somebody begins to work on it, after which it can't be cancelled any more.
class JUMPCUT_API ThreadState {
 public:
  enum class State : std::uint8_t { pending, running, cancelled, finished };

  ThreadState() = default;
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;

  /// Waiting in this thread for it would wait for ever: its loop's. Before anybody else sees it.
  void set_thread(Core* const* thread) noexcept { thread_ = thread; }

  /// It comes from a loop, and not from a thread that has nothing else to do.
  bool is_of_loop() const noexcept { return thread_ != nullptr; }

  /// False if it was cancelled. Otherwise the caller ends it, and may store its value before.
  bool begin() noexcept;
  void finish() { end(State::finished, nullptr); }
  void fail(std::exception_ptr error) { end(State::finished, std::move(error)); }
  /// False once somebody began.
  bool cancel();

  bool is_done() const noexcept;
  bool is_cancelled() const noexcept;
  /// Of one that is done: what it failed with, or null.
  std::exception_ptr error() const noexcept;
  /// The same, for the last who asks: whoever else has the state doesn't keep the error.
  std::exception_ptr take_error() noexcept;

  /// Has listener() called once it is done, by the thread that ends it, or at once. It must not
  /// throw. Returns a number for forget().
  std::uint64_t listen(std::function<void()> listener);
  void forget(std::uint64_t listener) noexcept;

  /// Waits until it is done, at most until then by the clock of the running loop or, where no task
  /// runs, by the steady one. Parks a task, blocks any other thread. Returns whether it is done.
  bool wait(std::optional<std::chrono::nanoseconds> longest, const char* call);
  /// Waits, and throws what it ended with, if that is no value.
  void get();

 protected:
  ~ThreadState() = default;

  mutable std::mutex mutex_;

 private:
  void end(State state, std::exception_ptr error);

  std::condition_variable ended_;
  State state_ = State::pending;
  std::exception_ptr error_;
  std::vector<std::pair<std::uint64_t, std::function<void()>>> listeners_;
  std::uint64_t numbers_ = 0;
  Core* const* thread_ = nullptr;
};

template <class T>
class ThreadStateOf final : public ThreadState {
 public:
  template <class Value>
  void store(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  /// Of one that is done. A value that can't be copied is moved out.
  T value() {
    if constexpr (std::is_copy_constructible_v<T>) {
      return *value_;
    } else {
      return take();
    }
  }
  T take() {
    const std::lock_guard lock(mutex_);
    return take_value<T>(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class ThreadStateOf<void> final : public ThreadState {};

/// function() ends it, with what it returns or throws.
template <class T, class Function>
void store_call(ThreadStateOf<T>& state, Function&& function) {
  if constexpr (std::is_void_v<T>) {
    std::forward<Function>(function)();
  } else {
    state.store(std::forward<Function>(function)());
  }
}

}  // namespace jumpcut::impl
