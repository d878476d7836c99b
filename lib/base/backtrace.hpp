// Which calls stand on the running stack.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace jumpcut::impl {

/// Writes an address inside each call that stands on the running stack, innermost and the caller of
/// this function first, as many as fit. Returns how many calls there are. A return address is not
/// inside the call: the byte before it is, and that is what is written. Safe in a signal handler,
/// after a first call outside.
std::size_t backtrace(std::span<std::uintptr_t> into) noexcept;

/// In a signal handler: the same from the function on that the signal interrupted. Returns 0 if no
/// signal was delivered here: some tools put the handler off, and call it as a function.
std::size_t backtrace_interrupted(std::span<std::uintptr_t> into) noexcept;

}  // namespace jumpcut::impl
