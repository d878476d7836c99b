#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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

/// Is called for each connection, in a task of its own, which the stream is closed at the end of.
/// What it throws goes to the loop's exception handler.
using ConnectionHandler = std::function<void(Stream& stream)>;

class Server;
JUMPCUT_API Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                                const ServerOptions& options);

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
  /// Connections whose handlers have not ended.
  std::size_t connections() const noexcept;

  /// Listens no more; the connections go on. Does nothing the second time.
  void close();
  /// Returns once it is closed and the last connection's handler has ended.
  void wait_closed();
  /// Closes all connections, each once it has sent what it has to.
  void close_clients();
  /// Closes all connections now.
  void abort_clients();
  /// Returns once it is closed. If the task is cancelled, closes it, waits as wait_closed() does,
  /// and throws Cancelled.
  void serve_forever();

 private:
  friend Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                             const ServerOptions& options);

  std::shared_ptr<impl::ServerState> state_;
};

/// Listens on all of these. Throws RuntimeError outside a task, ValueError without an address or a
/// handler, and what Socket::bind() throws; then it listens on none.
JUMPCUT_API Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                                const ServerOptions& options = {});
/// The same on a numeric host; "" is all interfaces, by IPv4 and by IPv6. Port 0 has the system
/// choose one.
JUMPCUT_API Server start_server(ConnectionHandler handler, std::string_view host,
                                std::uint16_t port, const ServerOptions& options = {});
/// The same on a Unix socket's path. A socket that is there already is replaced, and this one
/// removed when the server is closed.
JUMPCUT_API Server start_unix_server(ConnectionHandler handler, std::string_view path,
                                     const ServerOptions& options = {});

}  // namespace jumpcut
