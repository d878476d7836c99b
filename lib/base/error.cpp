#include <jumpcut/error.hpp>

#include <cstdarg>
#include <cstdio>

namespace jumpcut {

ResourceError::ResourceError(const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text_, sizeof text_, format, arguments);
  va_end(arguments);
}

}  // namespace jumpcut
