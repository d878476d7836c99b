// What a broken invariant does: in release builds too it says which, and ends the program.

#pragma once

#include <string_view>

namespace jumpcut::impl {

/// Prints "jumpcut: " and the formatted text to standard error, by one write, and aborts.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...) noexcept;

/// The same for what need not end the program.
[[gnu::format(printf, 1, 2)]] void warn(const char* format, ...) noexcept;

/// The same for a text that is longer than a line, as it is.
void warn_text(std::string_view text) noexcept;

}  // namespace jumpcut::impl

/// An invariant of ours, checked in every build.
#define JUMPCUT_CHECK(expression, what) \
  (__builtin_expect(!!(expression), 1)  \
       ? void()                         \
       : ::jumpcut::impl::fail("%s (%s, %s:%d)", what, #expression, __FILE__, __LINE__))
