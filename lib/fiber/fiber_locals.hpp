// The values that a fiber keeps for fiber_local.hpp.

#pragma once

namespace jumpcut::impl {

struct FiberLocals;

/// Destroys a fiber's values, the newest first, also those that are made meanwhile; then the rest.
void destroy_locals(FiberLocals*& locals) noexcept;

}  // namespace jumpcut::impl
