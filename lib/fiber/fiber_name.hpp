// The names of fibers, for those who may not allocate.

#pragma once

#include <cstddef>

namespace jumpcut::impl {

struct Core;

/// From now on an overflowed stack that a fiber of the faulting thread runs on is known by name.
void name_overflowing_fibers() noexcept;

/// Writes the name of the fiber that runs on this thread, as much of it as fits, and returns how
/// much that is. Safe in a signal handler.
std::size_t name_of_running(const Core& core, char* buffer, std::size_t size) noexcept;

}  // namespace jumpcut::impl
