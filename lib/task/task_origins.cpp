#include "task/task_origins.hpp"

#include "base/backtrace.hpp"
#include "base/symbols.hpp"
#include "task/task_stack.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace jumpcut::impl {

void TaskOrigins::note(TaskBase& task) noexcept {
  std::array<std::uintptr_t, 24> frames{};
  const std::size_t count = std::min(backtrace(frames), frames.size());
  try {
    TaskSpace& space = task.space();
    if (space.origins == nullptr) space.origins = std::make_shared<TaskOrigins>();
    if (task.name == nullptr) task.rename(task.task_name());
    space.origins->frames_[&task].assign(frames.begin(),
                                         frames.begin() + static_cast<std::ptrdiff_t>(count));
  } catch (const std::bad_alloc&) {  // then it isn't known
  }
}

std::string TaskOrigins::text(const TaskBase& task) {
  if (task.space().origins == nullptr) return {};
  const auto& all = task.space().origins->frames_;
  const auto place = all.find(&task);
  if (place == all.end()) return {};
  Symbols symbols;
  return users_frames_text(place->second, symbols);
}

}  // namespace jumpcut::impl
