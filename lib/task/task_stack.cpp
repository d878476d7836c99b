#include "task/task_stack.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/frame.hpp>
#include <jumpcut/task.hpp>

#include "base/error_text.hpp"
#include "fiber/frames.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace jumpcut {

namespace impl {

namespace {

using Phase = AnyTask::Phase;

/// A report that is to be read at a glance.
constexpr std::size_t most_frames = 4;

/// A public function of jumpcut's, or of the standard library's, such as unique_lock's.
bool is_library(const Symbol& symbol) noexcept {
  std::string_view name = symbol.mangled;
  if (!name.starts_with("_Z")) return false;
  name.remove_prefix(std::min(name.find_first_not_of("NK", 2), name.size()));
  return name.starts_with("7jumpcut") || name.starts_with("St");
}

Phase phase(const TaskBase& task) noexcept {
  return static_cast<Phase>(phase_of(task));
}

/// Of what a task waits for: ", held by task 'x'", if that is known.
std::string holder_text(const TaskBase& task) {
  const std::uint64_t number = task.waiting_on()->holder();
  if (number == 0 || number > task.space().task_numbers) return {};
  if (number == task.number) return ", held by itself";
  const TaskBase* holder = task.space().first_task;
  while (holder != nullptr && holder->number != number) holder = holder->next_task();
  return ", held by " + (holder != nullptr ? holder->describe() : "a task that has ended");
}

std::vector<std::uintptr_t> addresses_of(const TaskBase& task) {
  const TaskSpace& space = task.space();
  if (space.core == nullptr) return {};
  if (!space.core->on_its_thread()) {
    throw RuntimeError("get_stack: task '" + task.task_name() +
                       "' belongs to another thread's loop, and may run; make the call there, by "
                       "call_soon_threadsafe");
  }
  if (task.is_done() || task.fiber() == nullptr) return {};
  return frames_of(*task.fiber());
}

}  // namespace

std::vector<Symbol> stack_of(const TaskBase& task, Symbols& symbols) {
  return shown_frames(addresses_of(task), symbols);
}

std::string users_frames_text(std::span<const std::uintptr_t> frames, Symbols& symbols) {
  const std::vector<Symbol> shown = shown_frames(frames, symbols);
  auto first = std::find_if_not(shown.begin(), shown.end(), is_library);
  if (first == shown.end()) first = shown.begin();
  std::string text;
  for (std::size_t count = 0; first != shown.end() && count < most_frames; ++first, ++count) {
    text += "    " + first->text() + "\n";
  }
  return text;
}

std::string parked_text(const TaskBase& task, Symbols& symbols) {
  std::string text = task_headline(task);
  const std::string frames = users_frames_text(addresses_of(task), symbols);
  return text + (frames.empty() ? "\n" : ":\n" + frames);
}

std::string task_headline(const TaskBase& task) {
  const std::string name = task.describe();
  if (task.is_cancelled()) return name + " was " + error_text(task.error());
  if (task.is_failed()) return name + " failed: " + error_text(task.error());
  switch (phase(task)) {
    case Phase::queued:
      return name + " has not begun";
    case Phase::running:
      return name + " is running";
    case Phase::ready:
      return name + " is ready";
    case Phase::suspended:
      return name + (task.waiting_on() == nullptr
                         ? " is parked"
                         : " waits for " + task.waiting_on()->describe() + holder_text(task));
    case Phase::done:
      break;
  }
  return name + " is done";
}

std::vector<Frame> get_stack(const TaskBase& task, std::optional<std::size_t> limit) {
  Symbols symbols;
  return to_frames(stack_of(task, symbols), limit);
}

std::vector<Frame> to_frames(std::vector<Symbol> symbols, std::optional<std::size_t> limit) {
  std::vector<Frame> frames;
  for (Symbol& symbol : symbols) {
    if (frames.size() == limit) break;
    frames.push_back({std::move(symbol.function), std::move(symbol.object), symbol.offset});
  }
  return frames;
}

std::string format_stack(const TaskBase& task, std::optional<std::size_t> limit) {
  std::string text;
  for (const Frame& frame : get_stack(task, limit)) text += "    " + frame.text() + "\n";
  return task_headline(task) + (text.empty() ? "\n" : ":\n" + text);
}

void print_stack(const TaskBase& task, std::FILE* file, std::optional<std::size_t> limit) {
  std::fputs(format_stack(task, limit).c_str(), file);
}

}  // namespace impl

std::string Frame::text() const {
  return impl::Symbol{.function = function, .object = object, .offset = offset}.text();
}

}  // namespace jumpcut
