#pragma once

#include <exception>
#include <string>

#include "value.hpp"

namespace conformance {

// The two errors that programs raise, and those of Python's own that a wrong program meets.
class ProgramError : public std::exception {
 public:
  // `text` is what stands in a trace: "Boom(x)".
  explicit ProgramError(std::string text) : text_(std::move(text)) {}

  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

class Boom : public ProgramError {
 public:
  explicit Boom(const std::string& text) : ProgramError("Boom(" + text + ")") {}
};

class Bang : public ProgramError {
 public:
  explicit Bang(const std::string& text) : ProgramError("Bang(" + text + ")") {}
};

// Carries the value of a `return` out of the ops it stands in. Like Cancelled, it is none of the
// errors that `except Exception` takes.
struct Return {
  Value value;
};

// The Boom or the Bang that an op speaks of.
std::exception_ptr make_error(const std::string& kind, const std::string& text);

// What a trace calls it.
std::string error_text(const std::exception_ptr& error);

// Whether Python's `except Exception` would take it.
bool is_ordinary(const std::exception_ptr& error);

}  // namespace conformance
