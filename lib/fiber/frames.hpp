// The native calls that stand on a fiber's stack.

#pragma once

#include <jumpcut/lowlevel/fiber.hpp>

#include "base/symbols.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jumpcut::impl {

/// An address inside each call on the stack of a fiber of this thread, innermost first: all of
/// them, the runtime's own too. None if it is so near the end of its stack that there is no room to
/// look.
std::vector<std::uintptr_t> frames_of(lowlevel::Fiber& fiber);

/// What a report shows of them: not how the runtime got to the first call, and not how it stopped
/// in the last; nor what is outside of main.
std::vector<Symbol> shown_frames(std::span<const std::uintptr_t> frames, Symbols& symbols);

/// A line for each of those, with four blanks before it.
std::string frames_text(std::span<const std::uintptr_t> frames, Symbols& symbols);

/// The last type among a template's arguments that looks like a function object of the user's, or
/// nothing.
std::string callable_among_arguments(std::string_view function);

}  // namespace jumpcut::impl
