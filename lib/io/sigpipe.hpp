// Writing to what nobody reads raises a signal, which ends a program that was not asked.

#pragma once

#include <sys/types.h>
#include <sys/uio.h>

namespace jumpcut::impl {

/// While it lives, a SIGPIPE that this thread's writes raise is nobody's. The host's handler and
/// mask are as they were afterwards, and a signal that was pending before still is.
class NoSigpipe {
 public:
  NoSigpipe() noexcept;
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe();

  /// The write said EPIPE.
  void raised() noexcept { raised_ = true; }

 private:
  bool was_blocked_ = false;
  bool was_pending_ = false;
  bool raised_ = false;
};

/// writev() without the signal.
ssize_t write_quietly(int fd, const iovec* vectors, int count) noexcept;

}  // namespace jumpcut::impl
