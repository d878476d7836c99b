#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/impl/deadline.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {
class ServerState;
}  // namespace impl

struct ServerOptions {
  int backlog = 100;
  /// A port whose last connections linger may be taken over at once.
  bool reuse_address = true;
  /// Others may listen on the same port, and the system shares connections out between them.
  bool reuse_port = false;
  StreamOptions stream = {};
};

/// Is called for each connection, in a task of its own. When it has returned or thrown, what it
/// wrote is sent, and the stream is closed. What it throws goes to the loop's exception handler.
using ConnectionHandler = std::function<void(Stream& stream)>;

/// Listens, and starts a task for each who connects: asyncio.Server. What start_server() returns;
/// its loop's thread's.
class JUMPCUT_API Server {
 public:
  /// None.
  Server() noexcept = default;
  Server(Server&&) noexcept = default;
  Server& operator=(Server&& other) noexcept;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// close().
  ~Server();

  /// Where it listens, with the ports that the system chose; none once it is closed.
  std::vector<Address> addresses() const;
  bool is_serving() const noexcept;
  /// Connections whose handlers have not ended, or have left something to be sent.
  std::size_t connections() const noexcept;

  /// Listens no more; the connections go on. Does nothing the second time.
  void close();
  /// Returns once it is closed and the last connection has ended. Throws RuntimeError in a
  /// connection's own task.
  void wait_closed();
  /// Closes all connections, each once it has sent what it has to.
  void close_clients();
  /// Closes all connections now.
  void abort_clients();
  /// Closes it, and returns once the last connection has ended: by itself within `grace`, a
  /// duration, or std::nullopt for as long as they take. Until then nothing tells the handlers:
  /// one that waits for its client goes on waiting. Afterwards those that are left are cancelled,
  /// and their connections aborted: what they wait for throws Cancelled, what is unsent is dropped;
  /// and shutdown() waits until they have cleaned up. True if none was. If its task is cancelled,
  /// the grace is over, and it throws Cancelled at the end. Throws what wait_closed() throws.
  template <impl::IsDelay Delay>
  bool shutdown(const Delay& grace) {
    return shutdown_at(impl::deadline_in(grace, "shutdown"));
  }
  /// Returns once it is closed. If the task is cancelled, closes it, waits as wait_closed() does,
  /// and throws Cancelled.
  void serve_forever();

 private:
  friend class impl::ServerState;

  explicit Server(std::shared_ptr<impl::ServerState> state) noexcept : state_(std::move(state)) {}
  bool shutdown_at(std::optional<TimePoint> deadline);

  std::shared_ptr<impl::ServerState> state_;
};

/// Listens on all of these. Throws RuntimeError outside a task, ValueError without an address or a
/// handler, and what Socket::bind() throws; then it listens on none.
JUMPCUT_API Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                                const ServerOptions& options = {});
/// The same on all addresses of a host, for which it may wait: a name is looked up; "" is all
/// interfaces, by IPv4 and by IPv6. Of several addresses, those are left out that this machine does
/// not have, or whose family; of one, or if none is left, that is an error. Port 0 has the system
/// choose one, for each address another. Throws what getaddrinfo() throws too.
JUMPCUT_API Server start_server(ConnectionHandler handler, std::string_view host,
                                std::uint16_t port, const ServerOptions& options = {});
/// The same on a Unix socket's path. A socket that is there already is replaced, and this one
/// removed when the server is closed.
JUMPCUT_API Server start_unix_server(ConnectionHandler handler, std::string_view path,
                                     const ServerOptions& options = {});

}  // namespace jumpcut
