// What is said of a task in reports: where it stands and what it waits for.

#pragma once

#include <jumpcut/frame.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "base/symbols.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jumpcut::impl {

/// The calls on the task's stack, innermost first; none if it has no stack, or its loop is closed.
/// Throws RuntimeError on another thread than its loop's.
std::vector<Symbol> stack_of(const TaskBase& task, Symbols& symbols);

/// The innermost calls of the user's own, a line for each with four blanks before it.
std::string users_frames_text(std::span<const std::uintptr_t> frames, Symbols& symbols);

/// The first so many of them.
std::vector<Frame> to_frames(std::vector<Symbol> symbols, std::optional<std::size_t> limit);

/// "task 'x' waits for Lock.lock(), held by task 'y'", "task 'x' has not begun", ...
std::string task_headline(const TaskBase& task);

/// The same, and where, as users_frames_text() has it.
std::string parked_text(const TaskBase& task, Symbols& symbols);

}  // namespace jumpcut::impl
