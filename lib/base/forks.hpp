// Whether this is still the process that it was, without asking the system.

#pragma once

#include <cstdint>

namespace jumpcut::impl {

/// Counts the forks since the library was loaded: the child's number is one above its parent's.
extern constinit std::uint32_t forks;

}  // namespace jumpcut::impl
