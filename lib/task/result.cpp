#include <jumpcut/result.hpp>

#include <jumpcut/error.hpp>

namespace jumpcut::impl {

void throw_no_error() {
  throw ValueError("Result::failed: the exception is null");
}

}  // namespace jumpcut::impl
