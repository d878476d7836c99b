#pragma once

#include <jumpcut/context.hpp>
#include <jumpcut/executor.hpp>

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// Has function(arguments...) called by a thread of the loop's own pool, and waits for what it
/// returns or throws: asyncio.to_thread. The copies of the arguments are made here; the call sees a
/// copy of the context variables. If the task is cancelled, a call that has begun goes on without
/// it. Throws Cancelled, and RuntimeError outside a task.
template <class Function, class... Arguments>
auto to_thread(Function&& function, Arguments&&... arguments) {
  impl::TaskBase::running("to_thread");
  impl::refuse_null(function, "to_thread");
  return await(run_in_executor(
      nullptr,
      [context = copy_context(), kept = std::decay_t<Function>(std::forward<Function>(function)),
       values = std::tuple<std::decay_t<Arguments>...>(
           std::forward<Arguments>(arguments)...)]() mutable {
        return context.run([&] { return std::apply(std::move(kept), std::move(values)); });
      }));
}

}  // namespace jumpcut
