#pragma once

#include <jumpcut/loop.hpp>
#include <jumpcut/thread_future.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {

/// The future waits for that loop, which need not run. From any thread.
JUMPCUT_API void set_loop(ThreadState& state, Loop& loop);
JUMPCUT_API void fail_closed(ThreadState& state) noexcept;
/// On the loop's thread: the future ends as the task does, by store(), and cancels it.
JUMPCUT_API void follow(const AnyTask& task, const std::shared_ptr<ThreadState>& state,
                        void (*store)(ThreadState& state, FutureBase& task));

template <class Function, class T>
class ThreadsafeCall {
 public:
  template <class F>
  ThreadsafeCall(std::shared_ptr<ThreadStateOf<T>> state, F&& function)
      : state_(std::move(state)), function_(std::forward<F>(function)) {}
  ThreadsafeCall(ThreadsafeCall&&) = default;  // NOLINT: as the function moves
  /// If it was never called, the loop has ended.
  ~ThreadsafeCall() {
    if (state_ != nullptr) fail_closed(*state_);
  }

  void operator()() {
    const auto state = std::move(state_);
    try {
      follow(create_task(std::move(function_)), state, [](ThreadState& to, FutureBase& task) {
        if constexpr (!std::is_void_v<T>) {
          auto& value = *static_cast<std::optional<T>*>(task.slot());
          static_cast<ThreadStateOf<T>&>(to).store(std::move(*value));
        }
      });
    } catch (...) {
      if (state->begin()) state->fail(std::current_exception());
    }
  }

 private:
  std::shared_ptr<ThreadStateOf<T>> state_;
  Function function_;
};

}  // namespace impl

/// Runs function() as a task of a loop, usually another thread's, and returns a future that any
/// thread can wait for: asyncio.run_coroutine_threadsafe. Its cancel() cancels the task. The task
/// has a copy of the caller's context variables. If the loop is closed before it is done, the
/// future fails with LoopClosed. Throws LoopClosed if it is closed by now; the Loop must still
/// exist.
template <class Function>
ThreadFuture<impl::TaskResult<Function>> run_coroutine_threadsafe(Function&& function, Loop& loop) {
  using T = impl::TaskResult<Function>;
  impl::refuse_null(function, "run_coroutine_threadsafe");
  auto state = std::make_shared<impl::ThreadStateOf<T>>();
  impl::set_loop(*state, loop);
  loop.call_soon_threadsafe(
      impl::ThreadsafeCall<std::decay_t<Function>, T>(state, std::forward<Function>(function)));
  return ThreadFuture<T>(std::move(state));
}

}  // namespace jumpcut
