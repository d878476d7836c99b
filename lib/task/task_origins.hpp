// Where tasks were created: known in debug mode.

#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace jumpcut::impl {

class TaskOrigins {
 public:
  /// Notes where the running code is, as the place where the task is created. Gives the task a name
  /// of its own, so that it asks to be forgotten.
  static void note(TaskBase& task) noexcept;
  void forget(const TaskBase& task) noexcept { frames_.erase(&task); }
  /// The innermost calls of that place, each on a line; empty if it isn't known.
  static std::string text(const TaskBase& task);

 private:
  std::unordered_map<const TaskBase*, std::vector<std::uintptr_t>> frames_;
};

}  // namespace jumpcut::impl
