#include "check.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace jumpcut::impl {

void fail(const char* format, ...) noexcept {
  char text[1024];
  int length = std::snprintf(text, sizeof text, "jumpcut: ");
  va_list arguments;
  va_start(arguments, format);
  length += std::vsnprintf(text + length, sizeof text - static_cast<unsigned>(length) - 1, format,
                           arguments);
  va_end(arguments);
  if (length > static_cast<int>(sizeof text) - 2) length = static_cast<int>(sizeof text) - 2;
  text[length++] = '\n';
  (void)!write(STDERR_FILENO, text, static_cast<unsigned>(length));
  std::abort();
}

}  // namespace jumpcut::impl
