#include <jumpcut/socket.hpp>

#include "base/system_error.hpp"
#include "io/bare_calls.hpp"
#include "io/buffers.hpp"
#include "io/descriptor_state.hpp"
#include "io/sigpipe.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jumpcut {

using impl::Operation, impl::PollEvent;

namespace {

void send_all(const Socket& socket, const char* call, std::string_view data) {
  while (!data.empty()) {
    const Operation operation(socket, call);
    data.remove_prefix(
        operation.run(PollEvent::writable, [&](int fd) { return impl::send_bare(fd, data, 0); }));
  }
}

/// What sendfile() does, where the system can't with this file or this socket.
std::size_t copy_file(const Socket& socket, int file, off_t place, std::size_t most) {
  std::string part(std::min(most, std::size_t{64} * 1024), '\0');
  std::size_t sent = 0;
  while (sent < most) {
    const ssize_t size = pread(file, part.data(), std::min(most - sent, part.size()), place);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) impl::throw_system_error(errno, "sendfile, reading descriptor %d", file);
    if (size == 0) break;
    send_all(socket, "sendfile", std::string_view(part).substr(0, static_cast<std::size_t>(size)));
    place += size;
    sent += static_cast<std::size_t>(size);
  }
  return sent;
}

}  // namespace

std::string Socket::recv(std::size_t most, int flags) {
  return impl::read_string(most, [&](std::span<char> buffer) { return recv_into(buffer, flags); });
}

std::size_t Socket::recv_into(std::span<char> buffer, int flags) {
  const Operation operation(*this, "recv");
  return operation.run(PollEvent::readable,
                       [&](int fd) { return impl::receive_bare(fd, buffer, flags); });
}

std::pair<std::string, Address> Socket::recvfrom(std::size_t most, int flags) {
  Address from;
  std::string text = impl::read_string(most, [&](std::span<char> buffer) {
    const auto [size, address] = recvfrom_into(buffer, flags);
    from = address;
    return size;
  });
  return {std::move(text), from};
}

std::pair<std::size_t, Address> Socket::recvfrom_into(std::span<char> buffer, int flags) {
  const Operation operation(*this, "recvfrom");
  sockaddr_storage from{};
  socklen_t from_size = 0;
  const std::size_t size = operation.run(PollEvent::readable, [&](int fd) {
    from_size = sizeof from;
    return ::recvfrom(fd, buffer.data(), buffer.size(), flags, reinterpret_cast<sockaddr*>(&from),
                      &from_size);
  });
  return {size, Address::from_sockaddr(&from, from_size)};
}

std::size_t Socket::send(std::string_view data, int flags) {
  const Operation operation(*this, "send");
  return operation.run(PollEvent::writable,
                       [&](int fd) { return impl::send_bare(fd, data, flags); });
}

std::size_t Socket::sendto(std::string_view data, const Address& address, int flags) {
  const Operation operation(*this, "sendto");
  return operation.run(
      PollEvent::writable,
      [&](int fd) {
        return ::sendto(fd, data.data(), data.size(), flags | MSG_NOSIGNAL,
                        static_cast<const sockaddr*>(address.sockaddr()),
                        static_cast<socklen_t>(address.size()));
      },
      &address);
}

void Socket::sendall(std::string_view data) {
  send_all(*this, "sendall", data);
}

std::size_t Socket::sendfile(int file, std::uint64_t offset, std::size_t most) {
  // A part at a time, since it counts as one operation.
  constexpr std::size_t part = 1024 * 1024;
  auto place = static_cast<off_t>(offset);
  std::size_t sent = 0;
  bool copy = false;
  while (sent < most) {
    const Operation operation(*this, "sendfile");
    const std::size_t size = operation.run(PollEvent::writable, [&](int fd) {
      impl::NoSigpipe quiet;
      const ssize_t result = ::sendfile(fd, file, &place, std::min(most - sent, part));
      if (result < 0 && errno == EPIPE) quiet.raised();
      copy = result < 0 && (errno == EINVAL || errno == ENOSYS);
      return copy ? 0 : result;
    });
    if (copy) return sent + copy_file(*this, file, place, most - sent);
    if (size == 0) break;
    sent += size;
  }
  return sent;
}

}  // namespace jumpcut
