// What an exception says.

#pragma once

#include <exception>
#include <string>

namespace jumpcut::impl {

/// Its what(), or as much as is known of it.
std::string error_text(const std::exception_ptr& error);

}  // namespace jumpcut::impl
