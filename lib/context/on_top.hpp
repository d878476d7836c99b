// The way onto a parked stack and back, for contexts and for fibers.

#pragma once

#include <jumpcut/impl/saved.hpp>

namespace jumpcut::impl {

/// Calls function(argument) on top of a parked stack, which a sanitizer knows as `stack`.
void run_on_top(Saved& parked, ToolStack& stack, void (*function)(void*) noexcept,
                void* argument) noexcept;

}  // namespace jumpcut::impl
