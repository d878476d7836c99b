#pragma once

#include <cstdint>

namespace jumpcut::impl {

/// A place in a program: `SourceLocation where = SourceLocation::current()` as a default argument
/// is the caller's. std::source_location, which clang 14 lacks.
struct SourceLocation {
  const char* file = "";
  const char* function = "";
  std::uint32_t line = 0;

  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          const char* function = __builtin_FUNCTION(),
                                          std::uint32_t line = __builtin_LINE()) noexcept {
    return {file, function, line};
  }
};

}  // namespace jumpcut::impl
