#pragma once

#include <exception>
#include <string>

namespace jumpcut::impl {

/// The type and the text of an exception; then, each on a line of its own, the exceptions that it
/// is nested around. Lines after the first begin with `indent`.
std::string exception_text(const std::exception_ptr& error, const std::string& indent = "");

/// The type of the exception that is handled now.
std::string handled_type_name();

}  // namespace jumpcut::impl
