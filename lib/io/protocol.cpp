#include <jumpcut/protocol.hpp>

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/wait_fd.hpp>

#include "base/system_error.hpp"
#include "io/socket_file.hpp"
#include "io/transport_state.hpp"

#include <cerrno>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>

namespace jumpcut {

using impl::DatagramTransportState, impl::StreamTransport, impl::TransportState;

BaseProtocol::~BaseProtocol() = default;
void BaseProtocol::connection_lost(const std::exception_ptr&) {}
void BaseProtocol::pause_writing() {}
void BaseProtocol::resume_writing() {}

Protocol::~Protocol() = default;
void Protocol::connection_made(const Transport&) {}
void Protocol::data_received(std::string_view) {}
bool Protocol::eof_received() {
  return false;
}

BufferedProtocol::~BufferedProtocol() = default;
void BufferedProtocol::data_received(std::string_view) {}

DatagramProtocol::~DatagramProtocol() = default;
void DatagramProtocol::connection_made(const DatagramTransport&) {}
void DatagramProtocol::datagram_received(std::string_view, const Address&) {}
void DatagramProtocol::error_received(const std::exception_ptr&) {}

TransportState& BaseTransport::state(const char* call) const {
  if (state_ == nullptr) throw RuntimeError(std::string(call) + " on a transport that is none");
  state_->check_thread(call);
  return *state_;
}

void BaseTransport::close() const {
  state("close").close();
}

void BaseTransport::abort() const {
  state("abort").abort();
}

bool BaseTransport::is_closing() const {
  return state("is_closing").is_closing();
}

std::size_t BaseTransport::get_write_buffer_size() const {
  return state("get_write_buffer_size").unsent();
}

void BaseTransport::set_write_buffer_limits(std::optional<std::size_t> high,
                                            std::optional<std::size_t> low) const {
  state("set_write_buffer_limits").set_limits(high, low);
}

std::pair<std::size_t, std::size_t> BaseTransport::get_write_buffer_limits() const {
  return state("get_write_buffer_limits").limits();
}

const Address& BaseTransport::getsockname() const {
  return state("getsockname").local();
}

const Address& BaseTransport::getpeername() const {
  return state("getpeername").peer();
}

int BaseTransport::fd() const {
  return state("fd").fd();
}

Transport::Transport(std::shared_ptr<StreamTransport> state) noexcept
    : BaseTransport(std::move(state)) {}

StreamTransport& Transport::stream(const char* call) const {
  return static_cast<StreamTransport&>(state(call));
}

StreamTransport& Transport::reader(const char* call) const {
  StreamTransport& transport = stream(call);
  if (transport.kind() != impl::StreamKind::write_pipe) return transport;
  throw RuntimeError(std::string(call) + ": this transport is a pipe's that is only written");
}

StreamTransport& Transport::writer(const char* call) const {
  StreamTransport& transport = stream(call);
  if (transport.kind() != impl::StreamKind::read_pipe) return transport;
  throw RuntimeError(std::string(call) + ": this transport is a pipe's that is only read");
}

void Transport::write(std::string_view data) const {
  writer("write").write(data);
}

void Transport::writelines(std::span<const std::string_view> data) const {
  writer("writelines").writelines(data);
}

void Transport::write_eof() const {
  writer("write_eof").write_eof();
}

std::size_t Transport::sendfile(int file, std::uint64_t offset, std::size_t most) const {
  return writer("sendfile").send_file(file, offset, most);
}

void Transport::pause_reading() const {
  reader("pause_reading").pause_reading();
}

void Transport::resume_reading() const {
  reader("resume_reading").resume_reading();
}

bool Transport::is_reading() const {
  return reader("is_reading").is_reading();
}

void Transport::set_protocol(std::shared_ptr<Protocol> protocol) const {
  if (protocol == nullptr) throw ValueError("set_protocol: the protocol is null");
  stream("set_protocol").set_protocol(std::move(protocol));
}

std::shared_ptr<Protocol> Transport::get_protocol() const {
  return stream("get_protocol").get_protocol();
}

DatagramTransport::DatagramTransport(std::shared_ptr<DatagramTransportState> state) noexcept
    : BaseTransport(std::move(state)) {}

void DatagramTransport::sendto(std::string_view data, const std::optional<Address>& address) const {
  static_cast<DatagramTransportState&>(state("sendto")).sendto(data, address);
}

namespace impl {

namespace {

template <class Pointer>
void refuse_no_protocol(const Pointer& protocol) {
  if (protocol == nullptr) throw ValueError("the protocol's factory has returned null");
}

void wait_until_made(TransportState& transport) {
  transport.begin();
  try {
    await(transport.made());
  } catch (...) {
    transport.close();
    throw;
  }
}

}  // namespace

Transport connect_protocol(Socket socket, std::shared_ptr<Protocol> protocol) {
  refuse_no_protocol(protocol);
  const auto state =
      std::make_shared<StreamTransport>(std::move(socket), StreamKind::socket, std::move(protocol));
  wait_until_made(*state);
  return Transport(state);
}

Transport connect_pipe(Descriptor pipe, bool writing, std::shared_ptr<Protocol> protocol) {
  const char* const call = writing ? "connect_write_pipe" : "connect_read_pipe";
  refuse_no_protocol(protocol);
  if (!pipe.is_open()) {
    throw DescriptorClosed(EBADF, std::generic_category(),
                           std::string(call) + " on a descriptor that is closed");
  }
  struct stat status {};
  if (fstat(pipe.fd(), &status) != 0) throw_system_error(errno, "%s: fstat", call);
  if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode)) {
    throw ValueError(std::string(call) +
                     ": it is neither a pipe nor a socket nor a terminal; for a file there is "
                     "File");
  }
  const auto state = std::make_shared<StreamTransport>(
      std::move(pipe), writing ? StreamKind::write_pipe : StreamKind::read_pipe,
      std::move(protocol));
  // Of a pipe that is written, one is told that nobody reads it any more; of a terminal, what is
  // typed.
  if (writing && S_ISCHR(status.st_mode)) state->pause_reading();
  wait_until_made(*state);
  return Transport(state);
}

DatagramTransport connect_protocol(Socket socket, const std::optional<Address>& remote,
                                   std::shared_ptr<DatagramProtocol> protocol) {
  refuse_no_protocol(protocol);
  const auto state =
      std::make_shared<DatagramTransportState>(std::move(socket), remote, std::move(protocol));
  wait_until_made(*state);
  return DatagramTransport(state);
}

/// The server's task holds the stream, and tells what its connection is told.
void serve_protocol(Stream& stream, std::shared_ptr<Protocol> protocol) {
  refuse_no_protocol(protocol);
  StreamState& before = StreamDoor::state(stream, "create_server");
  const auto state = std::make_shared<StreamTransport>(std::move(before.socket), StreamKind::socket,
                                                       std::move(protocol));
  before.successor = state;
  state->begin();
  try {
    state->wait_lost("create_server");
  } catch (const Cancelled&) {
    state->abort();
    state->wait_lost("create_server");
    throw;
  }
}

Socket datagram_socket(const DatagramOptions& options) {
  AddressFamily family = options.family;
  if (options.remote.has_value()) family = options.remote->family();
  if (options.local.has_value()) family = options.local->family();
  if (family == AddressFamily::none) {
    throw ValueError(
        "create_datagram_endpoint: neither a local nor a remote address nor a family is given");
  }
  Socket socket(family, SocketType::datagram);
  if (options.reuse_port) socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
  if (options.allow_broadcast) socket.setsockopt(SOL_SOCKET, SO_BROADCAST, 1);
  if (options.local.has_value()) {
    remove_stale_socket(options.local->path());
    socket.bind(*options.local);
  }
  if (options.remote.has_value() && !options.allow_broadcast) socket.connect(*options.remote);
  return socket;
}

}  // namespace impl

}  // namespace jumpcut
