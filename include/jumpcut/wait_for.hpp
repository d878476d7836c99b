#pragma once

#include <jumpcut/future.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/timeout.hpp>

#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {

/// Cancels it and waits until it is done; throws TimeoutError if it ended as cancelled.
JUMPCUT_API void cancel_in_time(FutureBase& future, const SourceLocation& where);

}  // namespace impl

/// Waits until the future or task is done, and returns its value or throws its exception; if the
/// time passes first, cancels it, waits until it is done, and throws TimeoutError, unless it ended
/// otherwise all the same. Cancelling the caller cancels it too. asyncio.wait_for.
template <class T, impl::IsDelay Delay>
T wait_for(Future<T> future, const Delay& delay,
           impl::SourceLocation where = impl::SourceLocation::current()) {
  if (impl::is_over(delay)) {
    impl::FutureBase& base = future.base("wait_for");
    if (!base.is_done()) impl::cancel_in_time(base, where);
    return future.result();
  }
  Timeout scope(impl::deadline_in(delay, "wait_for"));
  return impl::run_body(
      "wait_for", [&]() -> T { return await(std::move(future)); }, scope,
      [&](impl::Body run) { scope.run(run, "wait_for", where); });
}

/// Returns once function() has returned, which is called by the caller's own task, under a
/// timeout(), and returns its value. With a time of zero or less it is not called, and TimeoutError
/// thrown.
template <class Function, impl::IsDelay Delay>
requires std::is_invocable_v < std::decay_t<Function>
& > auto wait_for(Function&& function, const Delay& delay,
                  impl::SourceLocation where = impl::SourceLocation::current())
        -> std::invoke_result_t<std::decay_t<Function>&> {
  if (impl::is_over(delay)) {
    if constexpr (std::is_reference_v<std::invoke_result_t<std::decay_t<Function>&>>) {
      static_assert(!std::is_reference_v<std::invoke_result_t<std::decay_t<Function>&>>,
                    "wait_for returns a value; return a pointer instead of a reference");
    } else {
      // As a task that is cancelled before its first step.
      return wait_for(impl::make_task(impl::running_space("wait_for"), "wait_for",
                                      std::forward<Function>(function), {}),
                      delay, where);
    }
  }
  Timeout scope(impl::deadline_in(delay, "wait_for"));
  return impl::run_body("wait_for", function, scope,
                        [&](impl::Body run) { scope.run(run, "wait_for", where); });
}

}  // namespace jumpcut
