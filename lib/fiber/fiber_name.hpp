// The names that overflow messages give.

#pragma once

namespace jumpcut::impl {

/// From now on an overflowed stack that a fiber of the faulting thread runs on is known by name.
void name_overflowing_fibers() noexcept;

}  // namespace jumpcut::impl
