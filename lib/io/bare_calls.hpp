// What moves the bytes of most programs, without what the C library adds for threads that can be
// cancelled: two locked instructions a call, from the process's second thread on. A loop's thread
// must not be cancelled in the midst of a task's call, whose stack is not the one that would be
// unwound.

#pragma once

#include "base/sanitizers.hpp"

#include <span>
#include <string_view>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace jumpcut::impl {

inline ssize_t read_bare(int fd, std::span<char> buffer) noexcept {
  // A sanitizer learns from the C library's own who wrote that, and before which of its accesses.
  if constexpr (sanitizers::announced) return ::read(fd, buffer.data(), buffer.size());
  return syscall(SYS_read, fd, buffer.data(), buffer.size());
}

inline ssize_t receive_bare(int fd, std::span<char> buffer, int flags) noexcept {
  if constexpr (sanitizers::announced) return ::recv(fd, buffer.data(), buffer.size(), flags);
  return syscall(SYS_recvfrom, fd, buffer.data(), buffer.size(), flags, nullptr, nullptr);
}

/// No SIGPIPE comes of it.
inline ssize_t send_bare(int fd, std::string_view data, int flags) noexcept {
  flags |= MSG_NOSIGNAL;
  if constexpr (sanitizers::announced) return ::send(fd, data.data(), data.size(), flags);
  return syscall(SYS_sendto, fd, data.data(), data.size(), flags, nullptr, 0);
}

}  // namespace jumpcut::impl
