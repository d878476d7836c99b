#include "check.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <sys/uio.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

[[gnu::format(printf, 1, 0)]] void print(const char* format, va_list arguments) noexcept {
  char text[1024];
  constexpr int most = sizeof text - 1;
  int length = std::snprintf(text, sizeof text, "jumpcut: ");
  length +=
      std::vsnprintf(text + length, static_cast<std::size_t>(most - length), format, arguments);
  if (length > most - 1) length = most - 1;
  text[length++] = '\n';
  (void)!write(STDERR_FILENO, text, static_cast<std::size_t>(length));
}

}  // namespace

void fail(const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  print(format, arguments);
  va_end(arguments);
  std::abort();
}

void warn(const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  print(format, arguments);
  va_end(arguments);
}

void warn_text(std::string_view text) noexcept {
  constexpr std::string_view prefix = "jumpcut: ";
  constexpr std::string_view newline = "\n";
  const std::string_view parts[] = {prefix, text, newline};
  iovec vectors[3];
  for (std::size_t i = 0; i < 3; ++i) {
    vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
  }
  (void)!writev(STDERR_FILENO, vectors, text.ends_with('\n') ? 2 : 3);
}

}  // namespace jumpcut::impl
