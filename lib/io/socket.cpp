// What makes sockets, and what never waits; the rest is in socket_transfer.cpp and
// socket_connect.cpp.

#include <jumpcut/socket.hpp>

#include "base/system_error.hpp"
#include "io/descriptor_state.hpp"

#include <array>
#include <cerrno>

#include <sys/socket.h>

namespace jumpcut {

namespace {

int system_family(AddressFamily family) {
  switch (family) {
    case AddressFamily::ipv4:
      return AF_INET;
    case AddressFamily::ipv6:
      return AF_INET6;
    case AddressFamily::local:
      return AF_UNIX;
    default:
      throw ValueError("Socket: the family must be ipv4, ipv6 or local");
  }
}

int system_type(SocketType type) noexcept {
  constexpr int modes = SOCK_NONBLOCK | SOCK_CLOEXEC;
  switch (type) {
    case SocketType::datagram:
      return SOCK_DGRAM | modes;
    case SocketType::seqpacket:
      return SOCK_SEQPACKET | modes;
    default:
      return SOCK_STREAM | modes;
  }
}

int system_how(Shutdown how) noexcept {
  switch (how) {
    case Shutdown::reading:
      return SHUT_RD;
    case Shutdown::writing:
      return SHUT_WR;
    default:
      return SHUT_RDWR;
  }
}

[[noreturn]] void fail(const char* call, int fd, const std::string& what = {}) {
  const int error = errno;
  impl::throw_system_error(error, "%s on descriptor %d%s", call, fd, what.c_str());
}

template <class Get>
Address ask(Get get, const char* call, int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (get(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail(call, fd);
  return Address::from_sockaddr(&address, size);
}

}  // namespace

Socket::Socket(AddressFamily family, SocketType type) : Descriptor(Room()) {
  const int fd = ::socket(system_family(family), system_type(type), 0);
  if (fd < 0) impl::throw_system_error(errno, "socket");
  take_over(fd, true, type == SocketType::stream);
}

Socket Socket::adopt(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    fail("Socket::adopt, getsockopt", fd);
  Socket socket;
  static_cast<Descriptor&>(socket) = Descriptor::adopt(fd);
  return socket;
}

std::pair<Socket, Socket> Socket::pair(SocketType type) {
  std::pair<Socket, Socket> both{Socket(Room()), Socket(Room())};
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, system_type(type), 0, ends.data()) != 0) {
    impl::throw_system_error(errno, "socketpair");
  }
  both.first.take_over(ends[0], true, type == SocketType::stream);
  both.second.take_over(ends[1], true, type == SocketType::stream);
  return both;
}

void Socket::bind(const Address& address) {
  const int fd = open_fd("bind");
  const auto* where = static_cast<const sockaddr*>(address.sockaddr());
  if (::bind(fd, where, static_cast<socklen_t>(address.size())) != 0) {
    fail("bind", fd, " to " + address.to_string());
  }
}

void Socket::listen(int backlog) {
  const int fd = open_fd("listen");
  if (::listen(fd, backlog) != 0) fail("listen", fd);
}

void Socket::shutdown(Shutdown how) {
  const int fd = open_fd("shutdown");
  if (::shutdown(fd, system_how(how)) != 0) fail("shutdown", fd);
}

Address Socket::getsockname() const {
  return ask(::getsockname, "getsockname", open_fd("getsockname"));
}

Address Socket::getpeername() const {
  return ask(::getpeername, "getpeername", open_fd("getpeername"));
}

void Socket::setsockopt(int level, int name, int value) {
  const int fd = open_fd("setsockopt");
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) fail("setsockopt", fd);
}

int Socket::getsockopt(int level, int name) const {
  const int fd = open_fd("getsockopt");
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, level, name, &value, &size) != 0) fail("getsockopt", fd);
  return value;
}

}  // namespace jumpcut
