#pragma once

#include <jumpcut/impl/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace jumpcut {

enum class AddressFamily : std::uint8_t {
  none,  ///< of a peer that has no address: an unnamed Unix socket's has family `local`
  ipv4,
  ipv6,
  local,  ///< Unix sockets: a path, or an abstract name
  other,
};

/// Where a socket is: a numeric host and a port, or the path of a Unix socket. A value; any thread
/// may have copies. Looking up names is getaddrinfo()'s business.
class JUMPCUT_API Address {
 public:
  /// None.
  Address() noexcept = default;
  /// "127.0.0.1", "::1", "fe80::1%eth0"; "0.0.0.0" and "::" are all interfaces. Throws ValueError
  /// for what is no such number.
  static Address ip(std::string_view host, std::uint16_t port);
  static bool is_numeric(std::string_view host) noexcept;
  /// A Unix socket's. A path that begins with a zero byte is an abstract name, which no file goes
  /// with. Throws ValueError if it is too long, 107 bytes, or empty.
  static Address local(std::string_view path);
  /// From the system's own sockaddr. Throws ValueError if that is too large.
  static Address from_sockaddr(const void* sockaddr, std::size_t size);

  AddressFamily family() const noexcept;
  /// "127.0.0.1"; empty if it has none.
  std::string host() const;
  /// 0 if it has none.
  std::uint16_t port() const noexcept;
  /// Of a Unix socket; empty if it has none.
  std::string path() const;
  /// "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock", "unix:@abstract", "unix:", "none".
  std::string to_string() const;

  /// The system's own sockaddr.
  const void* sockaddr() const noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return size_; }

  bool operator==(const Address& other) const noexcept;

 private:
  alignas(8) std::array<unsigned char, 128> bytes_{};
  std::size_t size_ = 0;
};

/// to_string().
JUMPCUT_API std::ostream& operator<<(std::ostream& out, const Address& address);

}  // namespace jumpcut
