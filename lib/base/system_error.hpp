// The one way in which a system call that failed becomes an exception.

#pragma once

namespace jumpcut::impl {

/// Throws what errno `error` means. `format` says which call it was, and on which descriptor; like
/// printf's, and cut where it is absurdly long. Where a limit was hit, that is a ResourceError
/// which names it; otherwise a std::system_error with the code.
[[noreturn, gnu::format(printf, 2, 3)]] void throw_system_error(int error, const char* format, ...);

}  // namespace jumpcut::impl
