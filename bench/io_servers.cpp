#include "io_servers.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

const ServerLoop* first_loop = nullptr;

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace

ServerLoop::ServerLoop(const char* name, Serve function) noexcept
    : name_(name), serve_(function), next_(std::exchange(first_loop, this)) {}

const ServerLoop* ServerLoop::find(std::string_view name) noexcept {
  const ServerLoop* loop = first_loop;
  while (loop != nullptr && loop->name_ != name) loop = loop->next_;
  return loop;
}

void announce_port(std::uint16_t port) {
  std::printf("%d\n", port);
  std::fflush(stdout);
}

int listen_and_announce() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* where = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, where, size) != 0) fail("bind");
  if (listen(fd, server_backlog) != 0 || getsockname(fd, where, &size) != 0) fail("listen");
  announce_port(ntohs(address.sin_port));
  return fd;
}
