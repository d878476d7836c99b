// What is said of tasks that can't go on.

#pragma once

#include <jumpcut/impl/task_space.hpp>

#include <string>

namespace jumpcut::impl {

/// The tasks that are not done, in the order in which they were created: the name of each, what it
/// waits for, and where; and which of them wait for each other.
std::string parked_tasks_text(const TaskSpace& space);

}  // namespace jumpcut::impl
