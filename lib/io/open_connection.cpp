// Connecting to a host that has several addresses: the next is tried when one has failed or taken
// long, and the first that answers wins (RFC 8305).

#include <jumpcut/cancel_scope.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/names.hpp>
#include <jumpcut/protocol.hpp>
#include <jumpcut/stream.hpp>
#include <jumpcut/task_group.hpp>

#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace jumpcut {

namespace {

constexpr std::chrono::milliseconds patience{250};

/// One of each family in turn, beginning with the first.
std::vector<Address> interleaved(const std::vector<Address>& addresses) {
  std::vector<Address> firsts;
  std::vector<Address> others;
  for (const Address& one : addresses) {
    (one.family() == addresses.front().family() ? firsts : others).push_back(one);
  }
  std::vector<Address> all;
  for (std::size_t i = 0; i < firsts.size() || i < others.size(); ++i) {
    if (i < firsts.size()) all.push_back(firsts[i]);
    if (i < others.size()) all.push_back(others[i]);
  }
  return all;
}

/// Whoever connects first.
class Race {
 public:
  std::optional<Socket> run(const std::vector<Address>& addresses) {
    task_group([&](TaskGroup& group) {
      for (const Address& address : addresses) {
        const Future<> failed;
        group.create_task([this, &group, address, failed] { attempt(group, address, failed); });
        move_on_after(patience, [&] { await(failed); });
        if (winner_) return;
      }
    });
    return std::move(winner_);
  }
  /// All failed.
  [[noreturn]] void fail(std::string_view host) const {
    if (limit_ != nullptr) std::rethrow_exception(limit_);
    if (errors_.size() == 1) throw errors_.front();
    std::string text = "open_connection to '" + std::string(host) + "'";
    for (const std::system_error& error : errors_) text += std::string("; ") + error.what();
    throw std::system_error(errors_.front().code(), text);
  }

 private:
  void attempt(TaskGroup& group, const Address& address, const Future<>& failed) {
    try {
      Socket socket(address.family());
      socket.connect(address);
      if (winner_) return;
      winner_ = std::move(socket);
      group.cancel();
    } catch (const std::system_error& error) {
      errors_.push_back(error);
    } catch (const std::bad_alloc&) {
      limit_ = std::current_exception();
    }
    if (!failed.done()) failed.set_result();
  }

  std::optional<Socket> winner_;
  std::vector<std::system_error> errors_;
  std::exception_ptr limit_;  // that there are no descriptors, or no memory
};

}  // namespace

Socket impl::connected_socket(const Address& address) {
  Socket socket(address.family());
  if (address.family() != AddressFamily::local) socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
  socket.connect(address);
  return socket;
}

Socket impl::connected_socket(std::string_view host, std::uint16_t port) {
  const std::vector<Address> addresses = interleaved(getaddrinfo(host, port));
  if (addresses.size() == 1) return connected_socket(addresses.front());
  Race race;
  std::optional<Socket> socket = race.run(addresses);
  if (!socket) race.fail(host);
  socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
  return std::move(*socket);
}

Stream open_connection(const Address& address, const StreamOptions& options) {
  return Stream(impl::connected_socket(address), options);
}

Stream open_connection(std::string_view host, std::uint16_t port, const StreamOptions& options) {
  return Stream(impl::connected_socket(host, port), options);
}

Stream open_unix_connection(std::string_view path, const StreamOptions& options) {
  return open_connection(Address::local(path), options);
}

}  // namespace jumpcut
