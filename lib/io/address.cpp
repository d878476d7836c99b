#include <jumpcut/address.hpp>

#include <jumpcut/error.hpp>

#include <algorithm>
#include <cstring>
#include <ostream>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace jumpcut {

namespace {

static_assert(sizeof(sockaddr_storage) == 128);

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

/// A copy of the bytes as the structure they are; of fewer, with zeros behind.
template <class Structure>
Structure as(const Address& address) noexcept {
  Structure structure{};
  std::memcpy(&structure, address.sockaddr(), std::min(sizeof structure, address.size()));
  return structure;
}

/// False if it is neither the name nor the number of an interface.
bool parse_scope(const std::string& text, std::uint32_t& scope) noexcept {
  scope = if_nametoindex(text.c_str());
  if (scope != 0) return true;
  std::uint64_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    if (number > UINT32_MAX) return false;
  }
  scope = static_cast<std::uint32_t>(number);
  return !text.empty();
}

bool parse_ipv4(const std::string& host, sockaddr_in& result) noexcept {
  result = {};
  result.sin_family = AF_INET;
  return inet_pton(AF_INET, host.c_str(), &result.sin_addr) == 1;
}

bool parse_ipv6(const std::string& host, sockaddr_in6& result) noexcept {
  result = {};
  result.sin6_family = AF_INET6;
  const std::size_t percent = host.find('%');
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), &result.sin6_addr) != 1) return false;
  return percent == std::string::npos ||
         parse_scope(host.substr(percent + 1), result.sin6_scope_id);
}

}  // namespace

Address Address::ip(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  // A zero byte would end the C string early.
  if (text.find('\0') == std::string::npos) {
    if (parse_ipv4(text, v4)) {
      v4.sin_port = htons(port);
      return from_sockaddr(&v4, sizeof v4);
    }
    if (parse_ipv6(text, v6)) {
      v6.sin6_port = htons(port);
      return from_sockaddr(&v6, sizeof v6);
    }
  }
  throw ValueError("Address::ip: '" + text +
                   "' is no numeric address, such as 127.0.0.1 or ::1; names are looked up by "
                   "getaddrinfo");
}

bool Address::is_numeric(std::string_view host) noexcept {
  char text[80];
  if (host.size() >= sizeof text || host.find('\0') != std::string_view::npos) return false;
  std::memcpy(text, host.data(), host.size());
  text[host.size()] = '\0';
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  return parse_ipv4(text, v4) || parse_ipv6(text, v6);
}

Address Address::local(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_abstract = !path.empty() && path.front() == '\0';
  // A path is followed by a zero byte.
  if (path.empty() || path.size() + (is_abstract ? 0 : 1) > sizeof address.sun_path) {
    throw ValueError("Address::local: a path of " + std::to_string(path.size()) +
                     " bytes; it must have 1 to " + std::to_string(sizeof address.sun_path - 1));
  }
  if (!is_abstract && path.find('\0') != std::string_view::npos) {
    throw ValueError("Address::local: a zero byte within a path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return from_sockaddr(&address, path_offset + path.size() + (is_abstract ? 0 : 1));
}

Address Address::from_sockaddr(const void* sockaddr, std::size_t size) {
  Address address;
  if (size > address.bytes_.size()) {
    throw ValueError("Address: a sockaddr of " + std::to_string(size) + " bytes is too large");
  }
  if (size != 0) std::memcpy(address.bytes_.data(), sockaddr, size);
  address.size_ = size;
  return address;
}

AddressFamily Address::family() const noexcept {
  if (size_ < sizeof(sa_family_t)) return AddressFamily::none;
  switch (as<sockaddr_un>(*this).sun_family) {
    case AF_UNSPEC:
      return AddressFamily::none;
    case AF_INET:
      return AddressFamily::ipv4;
    case AF_INET6:
      return AddressFamily::ipv6;
    case AF_UNIX:
      return AddressFamily::local;
    default:
      return AddressFamily::other;
  }
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AddressFamily::ipv4) {
    const auto address = as<sockaddr_in>(*this);
    return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  }
  if (family() != AddressFamily::ipv6) return "";
  const auto address = as<sockaddr_in6>(*this);
  std::string host = inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  if (address.sin6_scope_id == 0) return host;
  char name[IF_NAMESIZE];
  const char* scope = if_indextoname(address.sin6_scope_id, name);
  return host + '%' + (scope != nullptr ? scope : std::to_string(address.sin6_scope_id));
}

std::uint16_t Address::port() const noexcept {
  switch (family()) {
    case AddressFamily::ipv4:
      return ntohs(as<sockaddr_in>(*this).sin_port);
    case AddressFamily::ipv6:
      return ntohs(as<sockaddr_in6>(*this).sin6_port);
    default:
      return 0;
  }
}

std::string Address::path() const {
  if (family() != AddressFamily::local || size_ <= path_offset) return "";
  const auto address = as<sockaddr_un>(*this);
  const std::size_t room = std::min(size_ - path_offset, sizeof address.sun_path);
  if (address.sun_path[0] == '\0') return {address.sun_path, room};
  return {address.sun_path, strnlen(address.sun_path, room)};
}

std::string Address::to_string() const {
  switch (family()) {
    case AddressFamily::none:
      return "none";
    case AddressFamily::ipv4:
      return host() + ':' + std::to_string(port());
    case AddressFamily::ipv6:
      return '[' + host() + "]:" + std::to_string(port());
    case AddressFamily::local:
      break;
    case AddressFamily::other:
      return "address of family " + std::to_string(as<sockaddr_un>(*this).sun_family);
  }
  std::string text = path();
  // As the system's tools print abstract names.
  std::replace(text.begin(), text.end(), '\0', '@');
  return "unix:" + text;
}

bool Address::operator==(const Address& other) const noexcept {
  return size_ == other.size_ && std::memcmp(bytes_.data(), other.bytes_.data(), size_) == 0;
}

std::ostream& operator<<(std::ostream& out, const Address& address) {
  return out << address.to_string();
}

}  // namespace jumpcut
