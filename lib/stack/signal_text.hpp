// A line of text built in a signal handler, where the printf family may not be called.

#pragma once

#include <cstddef>
#include <cstdint>

namespace jumpcut::impl {

/// Writes into a buffer, and leaves off what does not fit.
class SignalText {
 public:
  SignalText(char* buffer, std::size_t size) noexcept : buffer_(buffer), size_(size) {}

  SignalText& text(const char* string) noexcept {
    while (*string != 0) put(*string++);
    return *this;
  }

  SignalText& text(const char* string, std::size_t length) noexcept {
    for (std::size_t i = 0; i < length; ++i) put(string[i]);
    return *this;
  }

  SignalText& number(std::uint64_t value, unsigned base = 10) noexcept {
    char digits[20];
    int count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0) put(digits[--count]);
    return *this;
  }

  SignalText& address(const void* pointer) noexcept {
    return text("0x").number(reinterpret_cast<std::uintptr_t>(pointer), 16);
  }

  /// Ends the line, whatever was left off, and returns the length of the whole.
  std::size_t end_line() noexcept {
    if (size_ == 0) return 0;
    if (length_ == size_) --length_;
    put('\n');
    return length_;
  }

 private:
  void put(char c) noexcept {
    if (length_ < size_) buffer_[length_++] = c;
  }

  char* buffer_;
  std::size_t size_;
  std::size_t length_ = 0;
};

}  // namespace jumpcut::impl
