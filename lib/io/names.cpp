#include <jumpcut/names.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/impl/task_base.hpp>
#include <jumpcut/to_thread.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <netdb.h>
#include <sys/socket.h>

namespace jumpcut {

namespace {

int system_family(AddressFamily family) {
  switch (family) {
    case AddressFamily::none:
      return AF_UNSPEC;
    case AddressFamily::ipv4:
      return AF_INET;
    case AddressFamily::ipv6:
      return AF_INET6;
    default:
      throw ValueError("getaddrinfo: names are looked up for IPv4 and IPv6 alone");
  }
}

[[noreturn]] void fail(const std::string& call, int code, int error) {
  throw LookupError(call + ": " +
                        (code == EAI_SYSTEM ? std::generic_category().message(error)
                                            : std::string(gai_strerror(code))),
                    code);
}

/// On a thread.
std::vector<Address> look_up(const std::string& host, std::uint16_t port, int family,
                             SocketType type) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = type == SocketType::stream     ? SOCK_STREAM
                      : type == SocketType::datagram ? SOCK_DGRAM
                                                     : SOCK_SEQPACKET;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                 std::to_string(port).c_str(), &hints, &found);
  if (code != 0) fail("getaddrinfo of '" + host + "'", code, errno);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const Address address = Address::from_sockaddr(one->ai_addr, one->ai_addrlen);
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  return addresses;
}

}  // namespace

std::vector<Address> getaddrinfo(std::string_view host, std::uint16_t port, AddressFamily family,
                                 SocketType type) {
  impl::TaskBase::running("getaddrinfo");
  const int wanted = system_family(family);
  if (host.find('\0') != std::string_view::npos) {
    throw ValueError("getaddrinfo: the host's name has a zero byte in it");
  }
  if (Address::is_numeric(host)) {
    const Address address = Address::ip(host, port);
    if (family == AddressFamily::none || family == address.family()) return {address};
    fail("getaddrinfo of '" + std::string(host) + "'", EAI_ADDRFAMILY, 0);
  }
  return to_thread(look_up, std::string(host), port, wanted, type);
}

std::pair<std::string, std::string> getnameinfo(const Address& address) {
  impl::TaskBase::running("getnameinfo");
  return to_thread([address] {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> service{};
    const int code = ::getnameinfo(static_cast<const sockaddr*>(address.sockaddr()),
                                   static_cast<socklen_t>(address.size()), host.data(), host.size(),
                                   service.data(), service.size(), 0);
    if (code != 0) fail("getnameinfo of " + address.to_string(), code, errno);
    return std::pair<std::string, std::string>(host.data(), service.data());
  });
}

}  // namespace jumpcut
