#include <jumpcut/descriptor.hpp>

#include <jumpcut/wait_fd.hpp>

#include "base/check.hpp"
#include "base/system_error.hpp"
#include "io/bare_calls.hpp"
#include "io/buffers.hpp"
#include "io/descriptor_state.hpp"
#include "io/sigpipe.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace jumpcut {

using impl::DescriptorState, impl::Operation, impl::PollEvent;

namespace {

thread_local std::unique_ptr<char[]> owned_room;  // see scratch()

/// SOCK_STREAM or another; none if it is no socket.
std::optional<int> socket_type(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return std::nullopt;
  return type;
}

void set_modes(int fd) {
  const int modes = fcntl(fd, F_GETFL);
  if (modes < 0 || fcntl(fd, F_SETFL, modes | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    impl::throw_system_error(errno, "fcntl on descriptor %d", fd);
  }
}

std::size_t write_part(const Operation& operation, std::string_view data) {
  return operation.run(PollEvent::writable, [&](int) { return operation.write_some(data); });
}

}  // namespace

std::span<char> impl::scratch() {
  constexpr std::size_t size = 64 * 1024;
  // What needs no destructor, and is of this model, is found without a call.
  [[gnu::tls_model("initial-exec")]] constinit thread_local char* room = nullptr;
  if (room == nullptr) [[unlikely]] {
    owned_room.reset(new char[size]);
    room = owned_room.get();
  }
  return {room, size};
}

Descriptor::Descriptor(Room) : state_(new DescriptorState) {}

void Descriptor::take_over(int fd, bool is_socket, bool is_stream) noexcept {
  state_->take_over(fd, is_socket, is_stream);
}

Descriptor Descriptor::adopt(int fd) {
  Descriptor descriptor{Room()};
  set_modes(fd);
  const std::optional<int> type = socket_type(fd);
  // A pipe's reader does not know whether the writer keeps bounds (O_DIRECT).
  descriptor.take_over(fd, type.has_value(), type == SOCK_STREAM);
  return descriptor;
}

std::string Descriptor::read(std::size_t most) {
  return impl::read_string(most, [this](std::span<char> buffer) { return read_into(buffer); });
}

std::size_t Descriptor::read_into(std::span<char> buffer) {
  const Operation operation(*this, "read");
  return operation.run(PollEvent::readable, [&](int fd) { return impl::read_bare(fd, buffer); });
}

std::size_t Descriptor::readv(std::span<const std::span<char>> buffers) {
  const Operation operation(*this, "readv");
  impl::Vectors vectors(buffers);
  return operation.run(PollEvent::readable,
                       [&](int fd) { return ::readv(fd, vectors.data(), vectors.size()); });
}

std::size_t Descriptor::write(std::string_view data) {
  const Operation operation(*this, "write");
  return write_part(operation, data);
}

std::size_t Descriptor::writev(std::span<const std::string_view> buffers) {
  const Operation operation(*this, "writev");
  impl::Vectors vectors(buffers);
  return operation.run(PollEvent::writable,
                       [&](int) { return operation.write_some(vectors.data(), vectors.size()); });
}

void Descriptor::write_all(std::string_view data) {
  while (!data.empty()) {
    const Operation operation(*this, "write_all");
    data.remove_prefix(write_part(operation, data));
  }
}

void Descriptor::close() {
  if (state_ == nullptr) return;
  state_->check_thread("close");
  state_->close();
}

int Descriptor::fd() const noexcept {
  return state_ == nullptr ? -1 : state_->fd();
}

int Descriptor::release() {
  if (state_ == nullptr) return -1;
  state_->check_thread("release");
  return state_->let_go();
}

int Descriptor::open_fd(const char* call) const {
  if (is_open()) return state_->fd();
  if (state_ != nullptr) state_->throw_closed(call);
  throw DescriptorClosed(EBADF, std::generic_category(),
                         std::string(call) + " on a descriptor that is none");
}

void Descriptor::dismiss() noexcept {
  if (state_->is_elsewhere()) {
    impl::fail(
        "descriptor %d is destroyed on another thread than its loop's, whose tasks may wait "
        "for it: close() it there",
        state_->fd());
  }
  state_->close();
  state_->drop_ref();
}

PipeEnds make_pipe() {
  PipeEnds pipe{Descriptor(Descriptor::Room()), Descriptor(Descriptor::Room())};
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) impl::throw_system_error(errno, "pipe2");
  pipe.reader.take_over(ends[0], false, true);
  pipe.writer.take_over(ends[1], false, true);
  return pipe;
}

}  // namespace jumpcut
