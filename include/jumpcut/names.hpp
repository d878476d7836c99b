#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/socket.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jumpcut {

/// A name or an address could not be looked up. Python's socket.gaierror.
class JUMPCUT_API LookupError : public std::runtime_error {
 public:
  LookupError(const std::string& what, int code) : std::runtime_error(what), code_(code) {}
  /// The system's own: EAI_NONAME, EAI_AGAIN.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// The addresses of a host, in the order in which the system would have them tried, each once:
/// asyncio's loop.getaddrinfo. A numeric one is returned at once; for a name a thread of the loop's
/// pool asks the system, and the task waits. "" is this machine. Throws LookupError, Cancelled,
/// ValueError for a name with a zero byte, RuntimeError outside a task.
JUMPCUT_API std::vector<Address> getaddrinfo(std::string_view host, std::uint16_t port,
                                             AddressFamily family = AddressFamily::none,
                                             SocketType type = SocketType::stream);

/// Waits for the names of an address's host and service, or its numbers where there are none:
/// asyncio's loop.getnameinfo. Throws the same.
JUMPCUT_API std::pair<std::string, std::string> getnameinfo(const Address& address);

}  // namespace jumpcut
