#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/descriptor.hpp>
#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/server.hpp>
#include <jumpcut/socket.hpp>
#include <jumpcut/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

/// What the loop calls as a connection goes on: asyncio.BaseProtocol. All calls are made by
/// callbacks of the loop, on the thread's own stack: they can't wait, but may create tasks, and set
/// futures. What they throw goes to the loop's exception handler.
class JUMPCUT_API BaseProtocol {
 public:
  BaseProtocol() noexcept = default;
  BaseProtocol(const BaseProtocol&) = delete;
  BaseProtocol& operator=(const BaseProtocol&) = delete;
  virtual ~BaseProtocol();

  /// Once, and last. `error` is what ended the connection; null if either side closed it, and after
  /// abort(). Then the socket is closed, and the protocol let go. Not called if the loop is closed
  /// before, but run() lets it come first.
  virtual void connection_lost(const std::exception_ptr& error);
  /// More is unsent than the transport's high-water mark.
  virtual void pause_writing();
  /// And now no more than the low one.
  virtual void resume_writing();
};

/// For a connection: asyncio.Protocol. The order of calls is
///
///     connection_made, data_received any number of times, eof_received once at most,
///     connection_lost
class JUMPCUT_API Protocol : public BaseProtocol {
 public:
  ~Protocol() override;

  /// Once, and first.
  virtual void connection_made(const Transport& transport);
  /// What came; gone when this returns. If this throws, connection_lost() is told what, and the
  /// exception handler, unless it is a std::system_error.
  virtual void data_received(std::string_view data);
  /// The peer sends no more. Return true to go on writing; otherwise the transport is closed. It
  /// may throw, as data_received() may.
  virtual bool eof_received();
};

/// A Protocol that says where what comes is to be put: asyncio.BufferedProtocol. For each
/// data_received() there is a get_buffer() and a buffer_updated().
class JUMPCUT_API BufferedProtocol : public Protocol {
 public:
  ~BufferedProtocol() override;

  /// Room for a byte at least, which stays until buffer_updated(), or the next get_buffer(), or the
  /// end. `size_hint` is how much may come; -1: nobody knows. If this throws, it is as if
  /// data_received() had.
  virtual std::span<char> get_buffer(std::ptrdiff_t size_hint) = 0;
  /// So many bytes are there. What it may throw is what data_received() may.
  virtual void buffer_updated(std::size_t size) = 0;

 private:
  void data_received(std::string_view data) final;
};

/// For datagrams: asyncio.DatagramProtocol.
class JUMPCUT_API DatagramProtocol : public BaseProtocol {
 public:
  ~DatagramProtocol() override;

  /// Once, and first.
  virtual void connection_made(const DatagramTransport& transport);
  virtual void datagram_received(std::string_view data, const Address& from);
  /// Sending or receiving failed, with a std::system_error. The transport goes on.
  virtual void error_received(const std::exception_ptr& error);
};

struct DatagramOptions {
  std::optional<Address> local = std::nullopt;   ///< where it receives
  std::optional<Address> remote = std::nullopt;  ///< the only one that it talks to
  /// Where neither is given.
  AddressFamily family = AddressFamily::none;
  bool reuse_port = false;
  bool allow_broadcast = false;
};

namespace impl {

/// What `new` made, or std::make_shared.
template <class Factory>
using ProtocolOf = typename std::remove_cvref_t<std::invoke_result_t<Factory&>>::element_type;

/// What open_connection() makes a Stream of. Wait as it does.
JUMPCUT_API Socket connected_socket(std::string_view host, std::uint16_t port);
JUMPCUT_API Socket connected_socket(const Address& address);

// Both return once connection_made() has been called.
JUMPCUT_API Transport connect_protocol(Socket socket, std::shared_ptr<Protocol> protocol);
JUMPCUT_API DatagramTransport connect_protocol(Socket socket, const std::optional<Address>& remote,
                                               std::shared_ptr<DatagramProtocol> protocol);
JUMPCUT_API Transport connect_pipe(Descriptor pipe, bool writing,
                                   std::shared_ptr<Protocol> protocol);
/// Returns once connection_lost() has been called.
JUMPCUT_API void serve_protocol(Stream& stream, std::shared_ptr<Protocol> protocol);
/// Bound and connected.
JUMPCUT_API Socket datagram_socket(const DatagramOptions& options);

template <class Factory>
auto make_connection(Factory& factory, Socket socket) {
  std::shared_ptr<ProtocolOf<Factory>> protocol = factory();
  Transport transport = connect_protocol(std::move(socket), protocol);
  return std::pair(std::move(transport), std::move(protocol));
}

template <class Factory>
auto make_pipe_transport(Factory& factory, Descriptor pipe, bool writing) {
  std::shared_ptr<ProtocolOf<Factory>> protocol = factory();
  Transport transport = connect_pipe(std::move(pipe), writing, protocol);
  return std::pair(std::move(transport), std::move(protocol));
}

template <class Factory>
ConnectionHandler protocol_handler(Factory&& factory, const char* call) {
  refuse_null(factory, call);
  return [factory = std::decay_t<Factory>(std::forward<Factory>(factory))](Stream& stream) mutable {
    serve_protocol(stream, std::shared_ptr<Protocol>(factory()));
  };
}

}  // namespace impl

/// Connects as open_connection() does, makes a protocol by factory(), which returns a shared_ptr or
/// a unique_ptr of a class derived from Protocol, and returns the transport and that once
/// connection_made() has been called: loop.create_connection. Throws what open_connection() does,
/// and Cancelled; then the connection is closed.
template <class Factory>
auto create_connection(Factory&& factory, std::string_view host, std::uint16_t port) {
  impl::refuse_null(factory, "create_connection");
  return impl::make_connection(factory, impl::connected_socket(host, port));
}
template <class Factory>
auto create_connection(Factory&& factory, const Address& address) {
  impl::refuse_null(factory, "create_connection");
  return impl::make_connection(factory, impl::connected_socket(address));
}
/// The same with a socket that is connected already: loop.connect_accepted_socket.
template <class Factory>
auto create_connection(Factory&& factory, Socket socket) {
  impl::refuse_null(factory, "create_connection");
  return impl::make_connection(factory, std::move(socket));
}
/// The same to a Unix socket's path.
template <class Factory>
auto create_unix_connection(Factory&& factory, std::string_view path) {
  return create_connection(std::forward<Factory>(factory), Address::local(path));
}

/// The same with a pipe's end that is read: loop.connect_read_pipe. A socket and a terminal will do
/// too. Its end is told by eof_received() and connection_lost(), whatever the first returns. Throws
/// ValueError for a file.
template <class Factory>
auto connect_read_pipe(Factory&& factory, Descriptor pipe) {
  impl::refuse_null(factory, "connect_read_pipe");
  return impl::make_pipe_transport(factory, std::move(pipe), false);
}
/// With one that is written: loop.connect_write_pipe. connection_lost() is also called if nobody
/// reads it any more, with a std::system_error if something was unsent.
template <class Factory>
auto connect_write_pipe(Factory&& factory, Descriptor pipe) {
  impl::refuse_null(factory, "connect_write_pipe");
  return impl::make_pipe_transport(factory, std::move(pipe), true);
}

/// start_server() with a protocol for each who connects: loop.create_server. close_clients() and
/// abort_clients() close and abort the transports.
template <class Factory>
Server create_server(Factory&& factory, const std::vector<Address>& addresses,
                     const ServerOptions& options = {}) {
  return start_server(impl::protocol_handler(std::forward<Factory>(factory), "create_server"),
                      addresses, options);
}
template <class Factory>
Server create_server(Factory&& factory, std::string_view host, std::uint16_t port,
                     const ServerOptions& options = {}) {
  return start_server(impl::protocol_handler(std::forward<Factory>(factory), "create_server"), host,
                      port, options);
}
template <class Factory>
Server create_unix_server(Factory&& factory, std::string_view path,
                          const ServerOptions& options = {}) {
  return start_unix_server(
      impl::protocol_handler(std::forward<Factory>(factory), "create_unix_server"), path, options);
}

/// Makes a datagram socket, and a protocol by factory(), and returns the transport and that once
/// connection_made() has been called: loop.create_datagram_endpoint. Throws ValueError if options
/// leave the family open, and what Socket::bind() and connect() throw.
template <class Factory>
auto create_datagram_endpoint(Factory&& factory, const DatagramOptions& options) {
  impl::refuse_null(factory, "create_datagram_endpoint");
  Socket socket = impl::datagram_socket(options);
  std::shared_ptr<impl::ProtocolOf<Factory>> protocol = factory();
  DatagramTransport transport = impl::connect_protocol(std::move(socket), options.remote, protocol);
  return std::pair(std::move(transport), std::move(protocol));
}

}  // namespace jumpcut
