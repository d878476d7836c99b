#include "io/sigpipe.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <pthread.h>

namespace jumpcut::impl {

namespace {

sigset_t only_sigpipe() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

NoSigpipe::NoSigpipe() noexcept {
  const sigset_t set = only_sigpipe();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &set, &before);
  was_blocked_ = sigismember(&before, SIGPIPE) == 1;
  if (!was_blocked_) return;  // then none can be pending
  sigset_t pending;
  sigpending(&pending);
  was_pending_ = sigismember(&pending, SIGPIPE) == 1;
}

NoSigpipe::~NoSigpipe() {
  const int error = errno;
  const sigset_t set = only_sigpipe();
  if (raised_ && !was_pending_) {
    const timespec now{};
    while (sigtimedwait(&set, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  if (!was_blocked_) pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  errno = error;
}

ssize_t write_quietly(int fd, const iovec* vectors, int count) noexcept {
  NoSigpipe quiet;
  const ssize_t result = ::writev(fd, vectors, count);
  if (result < 0 && errno == EPIPE) quiet.raised();
  return result;
}

}  // namespace jumpcut::impl
