// The frame of a context that has never run, as asm/<architecture>.S pictures it.

#pragma once

#include <jumpcut/impl/saved.hpp>

#include <cstdint>

namespace jumpcut::impl {

/// Makes `saved` call entry(argument, message) at the first switch to it, on the stack that ends at
/// `top`, a multiple of 16, with these control words: the
/// caller's, unless told otherwise.
void place_first_frame(Saved& saved, std::byte* top, void (*entry)(void*, void*), void* argument,
                       std::uint64_t control = jumpcut_control()) noexcept;

}  // namespace jumpcut::impl
