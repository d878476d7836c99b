#pragma once

#include <cstddef>

namespace jumpcut::impl {

/// Bytes that come from memory together, on the processors that this library knows.
inline constexpr std::size_t cache_line = 64;

}  // namespace jumpcut::impl
