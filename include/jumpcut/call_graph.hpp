#pragma once

#include <jumpcut/frame.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/task.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace jumpcut {

/// A future or task, what stands on its stack, and who awaits it: asyncio.FutureCallGraph.
struct CallGraph {
  AnyFuture future = {};
  /// Innermost first; empty for a future that is no task.
  std::vector<Frame> call_stack = {};
  /// In the order in which they came. Those of gather(), shield() and the like are futures between.
  std::vector<CallGraph> awaited_by = {};
  /// It stands elsewhere in the graph with what belongs to it: tasks await each other in a circle,
  /// or one awaits several.
  bool again = false;
};

struct CallGraphOptions {
  /// How many of the running task's innermost calls are left out; the first is that of the function
  /// which is asked for the graph.
  std::size_t depth = 1;
  /// How many calls of each stack are shown: if positive, those closest to where it stands; if
  /// negative, the outermost; 0 shows who awaits whom only. None: all.
  std::optional<int> limit = std::nullopt;
  /// Where print_call_graph() writes.
  std::FILE* file = stdout;
};

namespace impl {

JUMPCUT_API std::optional<CallGraph> capture_call_graph(const AnyFuture& future,
                                                        const CallGraphOptions& options);
JUMPCUT_API std::string format_call_graph(const AnyFuture& future, const CallGraphOptions& options);
JUMPCUT_API void print_call_graph(const AnyFuture& future, const CallGraphOptions& options);

}  // namespace impl

/// What the future or task waits for, and who waits for it, task by task, at most 100 levels deep:
/// asyncio.capture_call_graph. Throws RuntimeError on another thread than its loop's.
[[gnu::always_inline]] inline std::optional<CallGraph> capture_call_graph(
    const AnyFuture& future, const CallGraphOptions& options = {}) {
  return impl::capture_call_graph(future, options);
}
/// The same of the running task; none in a callback. Throws RuntimeError where no loop runs.
[[gnu::always_inline]] inline std::optional<CallGraph> capture_call_graph(
    const CallGraphOptions& options = {}) {
  return impl::capture_call_graph(AnyFuture(), options);
}

/// The same in words, over several lines; empty where there is none.
[[gnu::always_inline]] inline std::string format_call_graph(const AnyFuture& future,
                                                            const CallGraphOptions& options = {}) {
  return impl::format_call_graph(future, options);
}
[[gnu::always_inline]] inline std::string format_call_graph(const CallGraphOptions& options = {}) {
  return impl::format_call_graph(AnyFuture(), options);
}

/// Writes that.
[[gnu::always_inline]] inline void print_call_graph(const AnyFuture& future,
                                                    const CallGraphOptions& options = {}) {
  impl::print_call_graph(future, options);
}
[[gnu::always_inline]] inline void print_call_graph(const CallGraphOptions& options = {}) {
  impl::print_call_graph(AnyFuture(), options);
}

}  // namespace jumpcut
