// The C library's calls on sockets, by way of the injector.

#include "injector.hpp"

#include <array>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

using faults::How, faults::Key, faults::Reached, faults::Real;

bool faults::keeps_bounds(int fd) noexcept {
  int type = SOCK_STREAM;
  socklen_t size = sizeof type;
  syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size);
  return type != SOCK_STREAM;
}

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  static constinit Real<&accept4> real("accept4");
  return Reached("accept4", fd).make([&] { return real(fd, address, size, flags); });
}

int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  static constinit Real<&bind> real("bind");
  return Reached("bind").make([&] { return real(fd, address, size); });
}

int connect(int fd, const sockaddr* address, socklen_t size) {
  static constinit Real<&connect> real("connect");
  const bool local = address->sa_family == AF_UNIX;
  const Reached at(local ? Key("connect (unix)") : Key("connect"), fd);
  if (at.fault().how != How::after) return at.make([&] { return real(fd, address, size); });
  // It goes on by itself, if it could begin.
  const int result = real(fd, address, size);
  if (result != 0 && errno != EINPROGRESS) return result;
  errno = at.fault().error;
  return -1;
}

int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  static constinit Real<&getpeername> real("getpeername");
  return Reached("getpeername", fd).make([&] { return real(fd, address, size); });
}

int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
  static constinit Real<&getsockname> real("getsockname");
  return Reached("getsockname").make([&] { return real(fd, address, size); });
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  static constinit Real<&getsockopt> real("getsockopt");
  return Reached("getsockopt").make([&] { return real(fd, level, name, value, size); });
}

int listen(int fd, int backlog) noexcept {
  static constinit Real<&listen> real("listen");
  return Reached("listen").make([&] { return real(fd, backlog); });
}

ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  static constinit Real<&recv> real("recv");
  const Reached at("recv", fd);
  return at.make([&] { return real(fd, buffer, at.size(size), flags); });
}

ssize_t recvfrom(int fd, void* buffer, std::size_t size, int flags, sockaddr* from,
                 socklen_t* from_size) {
  static constinit Real<&recvfrom> real("recvfrom");
  return Reached("recvfrom", fd).make([&] {
    return real(fd, buffer, size, flags, from, from_size);
  });
}

ssize_t send(int fd, const void* buffer, std::size_t size, int flags) {
  static constinit Real<&send> real("send");
  const Reached at(faults::keeps_bounds(fd) ? Key("send (packets)") : Key("send"), fd);
  return at.make([&] { return real(fd, buffer, at.size(size), flags); });
}

ssize_t sendfile(int to, int from, off_t* offset, std::size_t size) noexcept {
  static constinit Real<&sendfile> real("sendfile64");
  const Reached at("sendfile", to);
  return at.make([&] { return real(to, from, offset, at.size(size)); });
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static constinit Real<&sendmsg> real("sendmsg");
  const Reached at("sendmsg", fd);
  return at.make([&] {
    if (at.fault().how != How::shorter) return real(fd, message, flags);
    iovec first = message->msg_iov[0];
    first.iov_len = at.size(first.iov_len);
    msghdr less = *message;
    less.msg_iov = &first;
    less.msg_iovlen = 1;
    return real(fd, static_cast<const msghdr*>(&less), flags);
  });
}

ssize_t sendto(int fd, const void* buffer, std::size_t size, int flags, const sockaddr* address,
               socklen_t address_size) {
  static constinit Real<&sendto> real("sendto");
  return Reached("sendto", fd).make([&] {
    return real(fd, buffer, size, flags, address, address_size);
  });
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  static constinit Real<&setsockopt> real("setsockopt");
  return Reached("setsockopt").make([&] { return real(fd, level, name, value, size); });
}

int shutdown(int fd, int how) noexcept {
  static constinit Real<&shutdown> real("shutdown");
  return Reached("shutdown").make([&] { return real(fd, how); });
}

int socket(int family, int type, int protocol) noexcept {
  static constinit Real<&socket> real("socket");
  return Reached("socket").make([&] { return real(family, type, protocol); });
}

int socketpair(int family, int type, int protocol, int* ends) noexcept {
  static constinit Real<&socketpair> real("socketpair");
  return Reached("socketpair").make([&] { return real(family, type, protocol, ends); });
}
}
