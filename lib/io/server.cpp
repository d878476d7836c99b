#include <jumpcut/server.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/wait_fd.hpp>

#include "io/waiters.hpp"
#include "loop/loop_state.hpp"

#include <cerrno>
#include <chrono>
#include <list>
#include <new>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut {

namespace impl {

/// Shared by the Server and the tasks that accept and that serve.
class ServerState : public std::enable_shared_from_this<ServerState> {
 public:
  ServerState(ConnectionHandler handler, const ServerOptions& options)
      : handler_(std::move(handler)), options_(options) {}
  ServerState(const ServerState&) = delete;
  ServerState& operator=(const ServerState&) = delete;
  ~ServerState() = default;

  void listen(const Address& address);
  void start();
  void close();
  void wait_until_closed(const char* call) {
    while (!closed_) waiters_.wait(call);
  }
  void wait_closed() {
    while (!closed_ || !streams_.empty()) waiters_.wait("wait_closed");
  }

  bool closed() const noexcept { return closed_; }
  const std::list<Socket>& listeners() const noexcept { return listeners_; }
  std::list<Stream>& streams() noexcept { return streams_; }

 private:
  /// The file of a Unix socket of ours.
  struct SocketFile {
    std::string path;
    dev_t device;
    ino_t number;
  };

  class Listening;
  class Connection;

  void accept_all(Socket& listening, const std::string& name);
  void start_connection(Socket socket);
  void serve(Stream& stream);
  void end_connection(std::list<Stream>::iterator stream) noexcept;
  void remove_files() noexcept;

  const ConnectionHandler handler_;
  const ServerOptions options_;
  std::list<Socket> listeners_;
  std::list<Stream> streams_;
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

/// A file that is a socket, of a server that ended without removing it.
void remove_stale(const std::string& path) noexcept {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
}

}  // namespace

void ServerState::listen(const Address& address) {
  Socket socket(address.family());
  const std::string path = address.path();
  const bool is_file = !path.empty() && path.front() != '\0';
  if (address.family() == AddressFamily::local) {
    if (is_file) remove_stale(path);
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

/// What a task that accepts has. However it ends, and also if it never began, nobody connects to
/// it any more, and waits in vain.
class ServerState::Listening {
 public:
  Listening(std::shared_ptr<ServerState> server, Socket& socket)
      : server_(std::move(server)), socket_(socket), name_(socket.getsockname().to_string()) {}
  Listening(Listening&&) noexcept = default;
  ~Listening() {
    if (server_ != nullptr) socket_.close();
  }
  const std::string& name() const noexcept { return name_; }
  void run() const { server_->accept_all(socket_, name_); }

 private:
  std::shared_ptr<ServerState> server_;
  Socket& socket_;
  std::string name_;
};

void ServerState::start() {
  for (Socket& socket : listeners_) {
    Listening listening(shared_from_this(), socket);
    const std::string name = "server on " + listening.name();
    create_task([listening = std::move(listening)] { listening.run(); }, {.name = name}).detach();
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

/// What the task of a connection has. That need not have begun when it ends: it may be cancelled
/// before, or get no stack.
class ServerState::Connection {
 public:
  Connection(std::shared_ptr<ServerState> server, std::list<Stream>::iterator stream) noexcept
      : server_(std::move(server)), stream_(stream) {}
  Connection(Connection&&) noexcept = default;
  ~Connection() {
    if (server_ != nullptr) server_->end_connection(stream_);
  }
  void run() const { server_->serve(*stream_); }

 private:
  std::shared_ptr<ServerState> server_;
  std::list<Stream>::iterator stream_;
};

void ServerState::start_connection(Socket socket) {
  try {
    if (socket.getsockname().family() != AddressFamily::local) {
      socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    }
    streams_.emplace_back(std::move(socket), options_.stream);
  } catch (const std::exception&) {  // he is gone already
    return report("a connection can't be served");
  }
  try {
    create_task([connection = Connection(shared_from_this(),
                                         std::prev(streams_.end()))] { connection.run(); },
                {.name = "connection"})
        .detach();
  } catch (const std::exception&) {
    report("a connection can't be served");
  }
}

void ServerState::end_connection(std::list<Stream>::iterator stream) noexcept {
  streams_.erase(stream);
  if (streams_.empty()) waiters_.wake_all();
}

void ServerState::serve(Stream& stream) {
  try {
    handler_(stream);
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    report("unhandled exception in a connection's handler");
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
  return state_ == nullptr ? 0 : state_->streams().size();
}

void Server::close() {
  if (state_ != nullptr) state_->close();
}

void Server::wait_closed() {
  if (const auto state = state_) state->wait_closed();
}

void Server::close_clients() {
  if (state_ == nullptr) return;
  for (Stream& stream : state_->streams()) stream.close();
}

void Server::abort_clients() {
  if (state_ == nullptr) return;
  for (Stream& stream : state_->streams()) stream.abort();
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
    state->wait_closed();
    throw;
  }
}

Server start_server(ConnectionHandler handler, const std::vector<Address>& addresses,
                    const ServerOptions& options) {
  static_cast<void>(impl::TaskBase::running("start_server"));
  if (handler == nullptr) throw ValueError("start_server: there is no handler");
  if (addresses.empty()) throw ValueError("start_server: there is no address to listen on");
  Server server;
  server.state_ = std::make_shared<impl::ServerState>(std::move(handler), options);
  for (const Address& address : addresses) server.state_->listen(address);
  server.state_->start();
  return server;
}

Server start_server(ConnectionHandler handler, std::string_view host, std::uint16_t port,
                    const ServerOptions& options) {
  std::vector<Address> addresses;
  if (host.empty()) {
    addresses = {Address::ip("0.0.0.0", port), Address::ip("::", port)};
  } else {
    addresses = {Address::ip(host, port)};
  }
  return start_server(std::move(handler), addresses, options);
}

Server start_unix_server(ConnectionHandler handler, std::string_view path,
                         const ServerOptions& options) {
  return start_server(std::move(handler), std::vector{Address::local(path)}, options);
}

}  // namespace jumpcut
