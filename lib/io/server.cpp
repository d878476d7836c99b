#include <jumpcut/server.hpp>

#include <jumpcut/cancel_scope.hpp>
#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/names.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/wait_fd.hpp>

#include "io/socket_file.hpp"
#include "io/waiters.hpp"
#include "loop/loop_state.hpp"

#include <cerrno>
#include <list>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut {

namespace impl {

/// One that is being served; `task` does it, and whoever holds it keeps the place.
struct Connection {
  Stream stream;
  AnyTask task = {};
};

/// Shared by the Server and the tasks that accept and that serve.
class ServerState : public std::enable_shared_from_this<ServerState> {
 public:
  ServerState(ConnectionHandler handler, const ServerOptions& options)
      : handler_(std::move(handler)), options_(options) {}
  ServerState(const ServerState&) = delete;
  ServerState& operator=(const ServerState&) = delete;
  ~ServerState() = default;

  /// Listens on all of them, or throws; if not `on_each`, on those that this machine has.
  static Server start(ConnectionHandler handler, const std::vector<Address>& addresses,
                      const ServerOptions& options, bool on_each);
  void close();
  void wait_until_closed(const char* call) {
    while (!closed_) waiters_.wait(call);
  }
  void wait_closed(const char* call);
  bool shutdown(std::optional<TimePoint> deadline);

  bool closed() const noexcept { return closed_; }
  const std::list<Socket>& listeners() const noexcept { return listeners_; }
  std::list<Connection>& connections() noexcept { return connections_; }

 private:
  /// What a task that accepts holds, and one that serves a connection, from before it begins.
  class Listening;
  class Served;
  /// The file of a Unix socket of ours.
  struct SocketFile {
    std::string path;
    dev_t device;
    ino_t number;
  };

  void listen(const Address& address);
  void begin();
  void accept_all(Socket& listening, const std::string& name);
  void start_connection(Socket socket);
  void serve(Connection& connection);
  void end_connections();
  void remove_files() noexcept;

  const ConnectionHandler handler_;
  const ServerOptions options_;
  std::list<Socket> listeners_;
  std::list<Connection> connections_;
  std::vector<SocketFile> files_;
  Waiters waiters_{"server"};  // for the close, or the last connection's end
  bool closed_ = false;
};

namespace {

void report(std::string message) {
  ErrorContext context;
  context.message = std::move(message);
  context.exception = std::current_exception();
  LoopState::running("report").report(context);
}

void check(const ConnectionHandler& handler) {
  TaskBase::running("start_server");
  if (handler == nullptr) throw ValueError("start_server: there is no handler");
}

}  // namespace

Server ServerState::start(ConnectionHandler handler, const std::vector<Address>& addresses,
                          const ServerOptions& options, bool on_each) {
  check(handler);
  if (addresses.empty()) throw ValueError("start_server: there is no address to listen on");
  const auto state = std::make_shared<ServerState>(std::move(handler), options);
  Server server(state);  // closes it if not all goes well
  std::exception_ptr missing;
  for (const Address& address : addresses) {
    try {
      state->listen(address);
    } catch (const std::system_error& error) {
      const int code = error.code().value();
      if (on_each || (code != EAFNOSUPPORT && code != EADDRNOTAVAIL)) throw;
      missing = std::current_exception();
    }
  }
  if (state->listeners_.empty()) std::rethrow_exception(missing);
  state->begin();
  return server;
}

void ServerState::listen(const Address& address) {
  Socket socket(address.family());
  const std::string path = address.path();
  const bool is_file = !path.empty() && path.front() != '\0';
  if (address.family() == AddressFamily::local) {
    remove_stale_socket(path);
  } else if (options_.reuse_address) {
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (options_.reuse_port) socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.family() == AddressFamily::ipv6) socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1);
  socket.bind(address);
  struct stat status {};
  if (is_file && stat(path.c_str(), &status) == 0) {
    files_.push_back({path, status.st_dev, status.st_ino});
  }
  socket.listen(options_.backlog);
  listeners_.push_back(std::move(socket));
}

/// However its task ends, and also if that never began, nobody connects any more and waits in vain.
class ServerState::Listening {
 public:
  Listening(std::shared_ptr<ServerState> server, Socket& socket)
      : server_(std::move(server)), socket_(socket), name_(socket.getsockname().to_string()) {}
  Listening(Listening&&) noexcept = default;
  ~Listening() {
    if (server_ != nullptr) socket_.close();
  }
  const std::string& name() const noexcept { return name_; }
  void operator()() const { server_->accept_all(socket_, name_); }

 private:
  std::shared_ptr<ServerState> server_;
  Socket& socket_;
  std::string name_;
};

void ServerState::begin() {
  for (Socket& socket : listeners_) {
    Listening listening(shared_from_this(), socket);
    const std::string name = "server on " + listening.name();
    create_task(std::move(listening), {.name = name}).detach();
  }
}

void ServerState::close() {
  if (std::exchange(closed_, true)) return;
  remove_files();
  for (Socket& listening : listeners_) listening.close();
  waiters_.wake_all();
}

/// Not one that somebody else has put in its place.
void ServerState::remove_files() noexcept {
  for (const SocketFile& file : files_) {
    struct stat status {};
    if (stat(file.path.c_str(), &status) != 0) continue;
    if (status.st_dev == file.device && status.st_ino == file.number) unlink(file.path.c_str());
  }
  files_.clear();
}

void ServerState::accept_all(Socket& listening, const std::string& name) {
  while (!closed_) {
    try {
      start_connection(listening.accept().first);
    } catch (const DescriptorClosed&) {
      return;
    } catch (const std::bad_alloc&) {
      report("a server can't wait for connections on " + name + ", and tries again in a second");
      sleep(std::chrono::seconds(1));
    } catch (const std::exception&) {
      return report("a server listens no more on " + name);
    }
  }
}

class ServerState::Served {
 public:
  Served(std::shared_ptr<ServerState> server, std::list<Connection>::iterator connection) noexcept
      : server_(std::move(server)), connection_(connection) {}
  Served(Served&&) = default;  // NOLINT: as the list's iterator moves
  Served& operator=(Served&&) = delete;
  ~Served() {
    if (server_ == nullptr) return;
    const AnyTask held = connection_->task;
    server_->connections_.erase(connection_);
    if (server_->connections_.empty()) server_->waiters_.wake_all();
  }

  void operator()() {
    connection_->task = current_task();  // an eager one begins before anybody else knows it
    server_->serve(*connection_);
  }

 private:
  std::shared_ptr<ServerState> server_;
  std::list<Connection>::iterator connection_;
};

void ServerState::start_connection(Socket socket) {
  try {
    if (socket.getsockname().family() != AddressFamily::local) {
      socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    }
    connections_.push_back({Stream(std::move(socket), options_.stream)});
    const auto connection = std::prev(connections_.end());
    const auto task = create_task(Served(shared_from_this(), connection), {.name = "connection"});
    if (!task.done()) connection->task = task;
    task.detach();
  } catch (const std::exception&) {  // he is gone already, or there is no memory
    report("a connection can't be served");
  }
}

void ServerState::serve(Connection& connection) {
  try {
    handler_(connection.stream);
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    report("unhandled exception in a connection's handler");
  }
  try {
    connection.stream.close();
    connection.stream.wait_closed();
  } catch (const std::exception&) {  // the client is gone, or the handler gave the stream away
  }
}

void ServerState::wait_closed(const char* call) {
  const TaskBase& self = TaskBase::running(call);
  for (const Connection& connection : connections_) {
    if (connection.task && &connection.task.base(call) == &self) {
      throw RuntimeError(std::string(call) +
                         ": this task serves one of the server's connections, and would wait for "
                         "its own end; call it in another task");
    }
  }
  while (!closed_ || !connections_.empty()) waiters_.wait(call);
}

bool ServerState::shutdown(std::optional<TimePoint> deadline) {
  close();
  try {
    if (move_on_at(deadline, [&] { wait_closed("shutdown"); })) return true;
  } catch (const Cancelled&) {
    end_connections();
    wait_closed("shutdown");
    throw;
  }
  end_connections();
  wait_closed("shutdown");
  return false;
}

void ServerState::end_connections() {
  for (Connection& connection : connections_) {
    // First: what the task waits for is to throw Cancelled, and not that the stream is closed.
    connection.task.cancel("the server is shut down");
    connection.stream.abort();
  }
}

}  // namespace impl

Server& Server::operator=(Server&& other) noexcept {
  const Server before(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

Server::~Server() {
  if (state_ != nullptr) state_->close();
}

std::vector<Address> Server::addresses() const {
  std::vector<Address> all;
  if (!is_serving()) return all;
  for (const Socket& listening : state_->listeners()) {
    if (listening.is_open()) all.push_back(listening.getsockname());
  }
  return all;
}

bool Server::is_serving() const noexcept {
  return state_ != nullptr && !state_->closed();
}

std::size_t Server::connections() const noexcept {
  return state_ == nullptr ? 0 : state_->connections().size();
}

void Server::close() {
  if (state_ != nullptr) state_->close();
}

void Server::wait_closed() {
  if (const auto state = state_) state->wait_closed("wait_closed");
}

bool Server::shutdown_at(std::optional<TimePoint> deadline) {
  const auto state = state_;
  return state == nullptr || state->shutdown(deadline);
}

void Server::close_clients() {
  if (state_ == nullptr) return;
  for (impl::Connection& one : state_->connections()) one.stream.close();
}

void Server::abort_clients() {
  if (state_ == nullptr) return;
  for (impl::Connection& one : state_->connections()) one.stream.abort();
}

void Server::serve_forever() {
  const auto state = state_;
  if (state == nullptr || state->closed()) {
    throw RuntimeError("serve_forever: the server is closed");
  }
  try {
    state->wait_until_closed("serve_forever");
  } catch (const Cancelled&) {
    state->close();
    state->wait_closed("serve_forever");
    throw;
  }
}

Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                    const ServerOptions& options) {
  return impl::ServerState::start(std::move(handler), addresses, options, true);
}

Server start_server(ConnectionHandler handler, std::string_view host, std::uint16_t port,
                    const ServerOptions& options) {
  impl::check(handler);  // before it waits
  std::vector<Address> addresses;
  if (host.empty()) {
    addresses = {Address::ip("0.0.0.0", port), Address::ip("::", port)};
  } else {
    addresses = getaddrinfo(host, port);
  }
  return impl::ServerState::start(std::move(handler), addresses, options, false);
}

Server start_unix_server(ConnectionHandler handler, std::string_view path,
                         const ServerOptions& options) {
  return start_server(std::move(handler), std::vector{Address::local(path)}, options);
}

}  // namespace jumpcut
