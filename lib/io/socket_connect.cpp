#include <jumpcut/socket.hpp>

#include <jumpcut/loop.hpp>

#include "base/system_error.hpp"
#include "io/descriptor_state.hpp"
#include "loop/loop_state.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>

#include <sys/socket.h>

namespace jumpcut {

using impl::Operation, impl::PollEvent;

namespace {

/// Waits a little longer each time, where nobody says when to try again.
class Patience {
 public:
  Patience(std::chrono::milliseconds least, std::chrono::milliseconds most) noexcept
      : delay_(least), most_(most) {}

  bool is_first() const noexcept { return first_; }
  void wait(const Operation& operation) {
    first_ = false;
    operation.wait(0, impl::deadline_after(operation.loop().now(), delay_));
    delay_ = std::min(2 * delay_, most_);
  }

 private:
  std::chrono::milliseconds delay_;
  const std::chrono::milliseconds most_;
  bool first_ = true;
};

/// What became of a connection; EINPROGRESS while nobody knows.
int outcome(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  if (error != 0) return error;
  sockaddr_storage peer{};
  size = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) return 0;
  return errno == ENOTCONN ? EINPROGRESS : errno;
}

/// The one who was to be accepted is gone, or his network; the next may be there. What accept(2)
/// tells of is not an error of the socket's own.
bool concerns_peer(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

/// What is wrong is not the socket. EPERM: rules of the system's that may change.
bool may_pass(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
         error == EPERM;
}

void report_failure(const Operation& operation, int error) noexcept {
  ErrorContext context;
  try {
    context.message =
        "accept can't take a connection; it waits in the queue until it can, and is tried again "
        "each second";
    operation.state().fail(operation.call(), error);
  } catch (...) {
    context.exception = std::current_exception();
  }
  operation.loop().report(context);
}

}  // namespace

void Socket::connect(const Address& address) {
  using namespace std::chrono_literals;
  const Operation operation(*this, "connect");
  const auto* where = static_cast<const sockaddr*>(address.sockaddr());
  Patience patience(1ms, 100ms);
  for (;;) {
    if (::connect(operation.fd(), where, static_cast<socklen_t>(address.size())) == 0) return;
    if (errno == EINPROGRESS || errno == EINTR) break;
    // A Unix listener's queue is full, and nobody tells when it isn't.
    if (errno != EAGAIN || address.family() != AddressFamily::local) {
      operation.state().fail("connect", errno, &address);
    }
    patience.wait(operation);
  }
  int error = EINPROGRESS;
  while (error == EINPROGRESS) {
    operation.wait(PollEvent::writable);
    error = outcome(operation.fd());
  }
  if (error != 0) operation.state().fail("connect", error, &address);
}

std::pair<Socket, Address> Socket::accept() {
  using namespace std::chrono_literals;
  const Operation operation(*this, "accept");
  Socket accepted{Room()};  // before there is something to lose
  Patience patience(10ms, 1000ms);
  for (;;) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = accept4(operation.fd(), reinterpret_cast<sockaddr*>(&peer), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      accepted.take_over(fd, true, operation.state().is_stream());
      return {std::move(accepted), Address::from_sockaddr(&peer, size)};
    }
    const int error = errno;
    if (concerns_peer(error)) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) {
      operation.wait(PollEvent::readable);
    } else if (may_pass(error)) {
      if (patience.is_first()) report_failure(operation, error);
      patience.wait(operation);
    } else {
      operation.state().fail("accept", error);
    }
  }
}

}  // namespace jumpcut
