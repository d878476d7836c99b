// What transports read and write, and what they tell their protocols of it.

#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/wait_fd.hpp>

#include "io/bare_calls.hpp"
#include "io/buffers.hpp"
#include "io/sigpipe.hpp"
#include "io/transport_state.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

bool would_wait(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK;
}

/// Makes the call until no signal is in its way.
template <class Call>
ssize_t uninterrupted(Call call) {
  for (;;) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// Room of the transports' alone: tasks that a protocol starts may read meanwhile.
std::span<char> transport_room() {
  constexpr std::size_t size = std::size_t{256} * 1024;
  thread_local std::unique_ptr<char[]> room;
  if (room == nullptr) room.reset(new char[size]);
  return {room.get(), size};
}

/// Where a BufferedProtocol wants it.
std::span<char> buffer_of(BufferedProtocol& protocol) {
  constexpr std::ptrdiff_t unknown = -1;
  const std::span<char> room = protocol.get_buffer(unknown);
  if (room.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
  return room;
}

}  // namespace

void StreamTransport::call_made() {
  const auto held = protocol_;
  held->connection_made(Transport(std::static_pointer_cast<StreamTransport>(shared_from_this())));
}

void StreamTransport::read_ready() {
  if (kind_ == StreamKind::write_pipe) return lose_pipe();
  const auto held = protocol_;  // it may be replaced meanwhile
  std::span<char> room;
  try {
    room = buffered_ != nullptr ? buffer_of(*buffered_) : transport_room();
  } catch (...) {
    return fail("protocol.get_buffer() failed, and its transport is closed");
  }
  if (is_lost()) return;  // get_buffer() closed it
  const ssize_t size = uninterrupted([&] {
    return kind_ == StreamKind::socket ? receive_bare(fd(), room, 0) : read_bare(fd(), room);
  });
  if (size < 0) {
    if (would_wait(errno)) return;
    try {
      throw_error(kind_ == StreamKind::socket ? "recv" : "read", errno);
    } catch (...) {
      return fail("reading from a transport failed");
    }
  }
  if (size == 0) return receive_end();
  tell_data(room, static_cast<std::size_t>(size));
}

void StreamTransport::tell_data(std::span<char> room, std::size_t size) {
  const auto tell = [&] {
    if (buffered_ != nullptr) return buffered_->buffer_updated(size);
    protocol_->data_received({room.data(), size});
  };
  const auto held = protocol_;
  // What such a call throws the loop reports, and the pipe goes on.
  if (kind_ == StreamKind::read_pipe) return tell();
  try {
    tell();
  } catch (...) {
    fail(buffered_ != nullptr ? "protocol.buffer_updated() failed, and its transport is closed"
                              : "protocol.data_received() failed, and its transport is closed");
  }
}

/// Nobody reads what is written to a pipe any more.
void StreamTransport::lose_pipe() {
  if (unsent_.size() == 0) return close();
  try {
    throw_error("write", EPIPE);
  } catch (...) {
    lose_soon(std::current_exception());
  }
}

void StreamTransport::receive_end() {
  const auto held = protocol_;
  if (kind_ == StreamKind::read_pipe) {
    get_running_loop().call_soon([held] { held->eof_received(); });
    return close();
  }
  try {
    if (held->eof_received()) return unwatch_reading();
  } catch (...) {
    return fail("protocol.eof_received() failed, and its transport is closed");
  }
  close();
}

/// How much was sent; 0 if there is no room.
std::size_t StreamTransport::send(std::span<const std::string_view> data) const {
  Vectors vectors(data);
  const auto write = [&] {
    if (kind_ != StreamKind::socket) return write_quietly(fd(), vectors.data(), vectors.size());
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = static_cast<std::size_t>(vectors.size());
    return ::sendmsg(fd(), &message, MSG_NOSIGNAL);
  };
  const ssize_t sent = uninterrupted(write);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (!would_wait(errno)) throw_error(kind_ == StreamKind::socket ? "send" : "write", errno);
  return 0;
}

void StreamTransport::write(std::string_view data) {
  writelines({&data, 1});
}

void StreamTransport::writelines(std::span<const std::string_view> data) {
  if (eof_) throw RuntimeError("write: it is after write_eof()");
  if (is_lent()) throw RuntimeError("write: a task's sendfile() is not done yet; await that first");
  if (std::all_of(data.begin(), data.end(), [](auto part) { return part.empty(); })) return;
  if (is_lost() || (kind_ != StreamKind::socket && is_closing())) return drop_write();
  std::size_t sent = 0;
  const bool at_once = unsent_.size() == 0;
  if (at_once) {
    try {
      sent = send(data);
    } catch (...) {
      return fail("writing to a transport failed");
    }
  }
  for (const std::string_view part : data) {
    const std::size_t gone = std::min(sent, part.size());
    sent -= gone;
    unsent_.append(part.substr(gone));
  }
  if (unsent_.size() == 0) return;
  if (at_once) watch_writing();
  pause_protocol();
}

void StreamTransport::write_ready() {
  try {
    const std::string_view data = unsent_.view();
    const std::size_t sent = send({&data, 1});
    if (sent == 0) return;
    unsent_.drop(sent);
  } catch (...) {
    return fail("writing to a transport failed");
  }
  resume_protocol();  // which may write more, or abort
  if (unsent_.size() != 0 || is_lost()) return;
  wake();
  try {
    unwatch_writing();
    if (eof_ && !is_closing() && !is_lent()) shut_down();
  } catch (...) {
    return fail("writing to a transport failed");
  }
  if (is_closing()) lose(nullptr);
}

/// A task has the socket as one of its own.
class StreamTransport::Lent {
 public:
  explicit Lent(StreamTransport& transport) : transport_(transport) { transport.lend(socket_); }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  ~Lent() {
    transport_.take_back();
    if (!transport_.eof_ || transport_.is_closing()) return;
    try {
      transport_.shut_down();
    } catch (...) {
      transport_.fail("writing to a transport failed");
    }
  }

  Socket& adopt() { return socket_ = Socket::adopt(transport_.fd()); }

 private:
  StreamTransport& transport_;
  Socket socket_;
};

std::size_t StreamTransport::send_file(int file, std::uint64_t offset, std::size_t most) {
  if (kind_ != StreamKind::socket) throw RuntimeError("sendfile: this transport is a pipe's");
  if (is_closing()) throw RuntimeError("sendfile: this transport is closed");
  if (eof_) throw RuntimeError("sendfile: it is after write_eof()");
  if (is_lent()) throw RuntimeError("sendfile: another one of the same transport is not done yet");
  const auto self = shared_from_this();
  Lent lent(*this);
  while (unsent_.size() != 0) wait_for_wake("sendfile");
  if (is_lost()) {
    throw DescriptorClosed(ECONNABORTED, std::generic_category(),
                           "sendfile: the connection was lost before what was written was sent");
  }
  return lent.adopt().sendfile(file, offset, most);
}

void StreamTransport::write_eof() {
  if (kind_ != StreamKind::socket) return close();  // a pipe has no other direction
  if (is_closing() || std::exchange(eof_, true)) return;
  if (unsent_.size() == 0 && !is_lent()) shut_down();
}

void StreamTransport::shut_down() const {
  if (::shutdown(fd(), SHUT_WR) != 0) throw_error("shutdown", errno);
}

void DatagramTransportState::call_made() {
  const auto held = protocol_;
  held->connection_made(
      DatagramTransport(std::static_pointer_cast<DatagramTransportState>(shared_from_this())));
}

void DatagramTransportState::tell_error(const char* call, const std::optional<Address>& address) {
  const int error = errno;
  std::exception_ptr failed;
  try {
    throw_error(call, error, address.has_value() ? &*address : nullptr);
  } catch (...) {
    failed = std::current_exception();
  }
  const auto held = protocol_;
  held->error_received(failed);
}

void DatagramTransportState::read_ready() {
  const std::span<char> room = transport_room();
  sockaddr_storage from{};
  socklen_t from_size = 0;
  const ssize_t size = uninterrupted([&] {
    from_size = sizeof from;
    return ::recvfrom(fd(), room.data(), room.size(), 0, reinterpret_cast<::sockaddr*>(&from),
                      &from_size);
  });
  if (size < 0) {
    if (!would_wait(errno)) tell_error("recvfrom", std::nullopt);
    return;
  }
  const auto held = protocol_;
  held->datagram_received({room.data(), static_cast<std::size_t>(size)},
                          Address::from_sockaddr(&from, from_size));
}

bool DatagramTransportState::send(std::string_view data, const std::optional<Address>& address) {
  // A socket that is connected takes no address.
  const bool named = address.has_value() && peer().family() == AddressFamily::none;
  const ssize_t sent = uninterrupted([&] {
    return ::sendto(fd(), data.data(), data.size(), MSG_NOSIGNAL,
                    named ? static_cast<const ::sockaddr*>(address->sockaddr()) : nullptr,
                    named ? static_cast<socklen_t>(address->size()) : 0);
  });
  if (sent < 0 && would_wait(errno)) return false;
  if (sent < 0) tell_error("sendto", address);
  return true;
}

void DatagramTransportState::sendto(std::string_view data, const std::optional<Address>& address) {
  if (remote_.has_value() && address.has_value() && !(*address == *remote_)) {
    throw ValueError("sendto: " + address->to_string() + " is not the endpoint's remote address, " +
                     remote_->to_string());
  }
  if (is_lost()) return drop_write();
  const std::optional<Address>& to = remote_.has_value() ? remote_ : address;
  const bool at_once = unsent_.empty();
  if (at_once && send(data, to)) return;
  unsent_.push_back({std::string(data), to});
  size_ += unsent_.back().size();
  if (at_once) watch_writing();
  pause_protocol();
}

void DatagramTransportState::write_ready() {
  while (!unsent_.empty()) {
    if (!send(unsent_.front().data, unsent_.front().address)) break;
    if (unsent_.empty()) return;  // error_received() aborted
    size_ -= unsent_.front().size();
    unsent_.pop_front();
  }
  resume_protocol();
  if (!unsent_.empty() || is_lost()) return;
  try {
    unwatch_writing();
  } catch (...) {
    return fail("writing to a transport failed");
  }
  if (is_closing()) lose(nullptr);
}

void DatagramTransportState::drop_unsent() noexcept {
  unsent_.clear();
  size_ = 0;
}

}  // namespace jumpcut::impl
