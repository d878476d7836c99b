#include <jumpcut/call_graph.hpp>

#include <jumpcut/error.hpp>

#include "base/symbols.hpp"
#include "task/awaiters.hpp"
#include "task/task_stack.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <unordered_set>
#include <utility>

namespace jumpcut::impl {

namespace {

/// So that neither the graph nor what walks it overflows a fiber's stack.
constexpr int most_levels = 100;

class Capture {
 public:
  explicit Capture(const CallGraphOptions& options) : options_(options) {}

  CallGraph of(FutureBase& future, int levels) {
    CallGraph graph;
    graph.future = AnyFuture(Ref<FutureBase>(&future));
    if (!seen_.insert(&future).second) {
      graph.again = true;
      return graph;
    }
    if (future.is_task()) graph.call_stack = stack_of_task(static_cast<const TaskBase&>(future));
    if (levels == most_levels) return graph;
    for (FutureBase* awaiter : awaiters_of(future)) {
      graph.awaited_by.push_back(of(*awaiter, levels + 1));
    }
    return graph;
  }

 private:
  std::vector<Frame> stack_of_task(const TaskBase& task) {
    if (options_.limit == 0) return {};
    std::vector<Symbol> all = stack_of(task, symbols_);
    const auto erase = [&](std::size_t first, std::size_t count) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
      all.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
    };
    // The call of the function itself is not among them.
    if (&task == TaskBase::current() && options_.depth > 1) {
      erase(0, std::min(options_.depth - 1, all.size()));
    }
    if (options_.limit.has_value()) {
      const auto most = static_cast<std::size_t>(std::abs(*options_.limit));
      if (all.size() > most) erase(*options_.limit > 0 ? most : 0, all.size() - most);
    }
    return to_frames(std::move(all), std::nullopt);
  }

  const CallGraphOptions& options_;
  Symbols symbols_;
  std::unordered_set<const FutureBase*> seen_;
};

void format(const CallGraph& graph, const std::string& indent, std::string& text) {
  text += indent + "* " + graph.future.base("format_call_graph").describe();
  text += graph.again ? ", as above\n" : "\n";
  if (!graph.call_stack.empty()) {
    text += indent + "  + Call stack:\n";
    for (const Frame& frame : graph.call_stack) text += indent + "  |   " + frame.text() + "\n";
  }
  if (graph.awaited_by.empty()) return;
  text += indent + "  + Awaited by:\n";
  for (const CallGraph& awaiter : graph.awaited_by) format(awaiter, indent + "     ", text);
}

}  // namespace

std::optional<CallGraph> capture_call_graph(const AnyFuture& future,
                                            const CallGraphOptions& options) {
  if (future) {
    FutureBase& asked = future.base("capture_call_graph");
    const Core* core = asked.space().core;
    if (core != nullptr && !core->on_its_thread()) {
      throw RuntimeError("capture_call_graph: " + asked.describe() +
                         " belongs to another thread's loop; make the call there, by "
                         "call_soon_threadsafe");
    }
    return Capture(options).of(asked, 0);
  }
  running_space("capture_call_graph");
  TaskBase* task = TaskBase::current();
  if (task == nullptr) return std::nullopt;
  return Capture(options).of(*task, 0);
}

std::string format_call_graph(const AnyFuture& future, const CallGraphOptions& options) {
  const std::optional<CallGraph> graph = impl::capture_call_graph(future, options);
  std::string text;
  if (graph.has_value()) format(*graph, "", text);
  return text;
}

void print_call_graph(const AnyFuture& future, const CallGraphOptions& options) {
  std::fputs(impl::format_call_graph(future, options).c_str(), options.file);
}

}  // namespace jumpcut::impl
