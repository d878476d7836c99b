#include "io/stream_state.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/wait_fd.hpp>

#include "base/system_error.hpp"
#include "io/bare_calls.hpp"
#include "io/buffers.hpp"
#include "io/descriptor_state.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace jumpcut::impl {

inline std::size_t StreamState::receive(const char* call, std::span<char> room) {
  try {
    const Operation operation(socket, call);
    if (operation.state().is_drained()) [[likely]]
      operation.wait(PollEvent::readable);
    const std::size_t size =
        operation.run(PollEvent::readable, [&](int fd) { return read_bare(fd, room); });
    if (size < room.size()) operation.state().note_drained();
    eof = size == 0;
    return size;
  } catch (const DescriptorClosed&) {
    check_error();  // which it was closed for
    if (!closing) throw;
    eof = true;
    return 0;
  }
}

[[gnu::hot]] std::string_view StreamState::receive_some() {
  const std::span<char> room = scratch();
  return {room.data(), receive("read", room)};
}

bool StreamState::fill() {
  if (!eof) incoming.append(receive_some());
  return !eof;
}

[[gnu::hot]] std::string StreamState::read(std::size_t most) {
  const Reading reading(*this, "read");
  if (most == 0 || eof || incoming.size() != 0) [[unlikely]]
    return incoming.take(std::min(most, incoming.size()));
  const std::string_view all = receive_some();
  if (all.size() <= most) [[likely]]
    return std::string(all);
  incoming.append(all.substr(most));
  return std::string(all.substr(0, most));
}

[[gnu::hot]] std::size_t StreamState::read_into(std::span<char> buffer) {
  const Reading reading(*this, "read_into");
  if (buffer.empty() || eof || incoming.size() != 0) [[unlikely]]
    return incoming.take_into(buffer);
  return receive("read_into", buffer);
}

void StreamState::Reading::refuse(const char* call) {
  throw RuntimeError(std::string(call) +
                     ": another task waits for what comes from this stream; one task reads at a "
                     "time");
}

void StreamState::check_error() const {
  if (error_ != nullptr) std::rethrow_exception(error_);
}

[[gnu::hot]] void StreamState::write(std::string_view data) {
  const Ref self(this);  // the Stream may go while this waits
  if (error_ != nullptr || closing || eof_wanted_) [[unlikely]]
    refuse_write();
  if (!sending_) send_now(data);
  if (!data.empty()) [[unlikely]]
    send_later(data);
  if (paused_ || error_ != nullptr) [[unlikely]]
    wait_for_room("write");
}

void StreamState::refuse_write() const {
  check_error();
  if (closing) {
    throw DescriptorClosed(EBADF, std::generic_category(), "write on a stream that is closed");
  }
  throw RuntimeError("write: it is after write_eof()");
}

inline void StreamState::send_now(std::string_view& data) {
  const Operation operation(socket, "write");
  if (sending_) return;  // others had a turn, and wrote
  while (!data.empty()) {
    const ssize_t sent = operation.write_some(data);
    if (sent >= 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
      // Less than all: there is no room for more.
      return;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    fail_now(operation);
  }
}

void StreamState::fail_now(const Operation& operation) {
  try {
    operation.state().fail("write", errno);
  } catch (...) {
    error_ = std::current_exception();
    throw;
  }
}

/// Holds the stream until all is sent. The task that has it need not have begun when it ends: it
/// may be cancelled before, or get no stack.
class StreamState::Sending {
 public:
  explicit Sending(StreamState& stream) noexcept : stream_(&stream) { stream.sending_ = true; }
  Sending(Sending&&) noexcept = default;
  ~Sending() {
    if (stream_) stream_->end_sending();
  }
  void run() const { stream_->send_all(); }

 private:
  Ref<StreamState> stream_;
};

void StreamState::send_later(std::string_view data) {
  outgoing.append(data);
  paused_ = paused_ || outgoing.size() > options.high_water;
  if (sending_) return;
  create_task([sending = Sending(*this)] { sending.run(); }, {.name = "stream writer"}).detach();
}

void StreamState::send_all() {
  try {
    while (outgoing.size() != 0) {
      // A copy of a part: what is there moves when more is written.
      const std::string part(outgoing.view().substr(0, std::size_t{64} * 1024));
      outgoing.drop(socket.write(part));
      if (paused_ && outgoing.size() <= options.low_water) {
        paused_ = false;
        waiters_.wake_all();
      }
    }
    if (eof_wanted_ && !closing) end_writing();
  } catch (const std::exception&) {
    fail(std::current_exception());
  }
}

/// All is sent, or nothing more can be.
void StreamState::end_sending() noexcept {
  sending_ = false;
  if (outgoing.size() != 0 && error_ == nullptr) {
    std::exception_ptr error = std::current_exception();  // that there is no stack
    if (error == nullptr) {
      error = std::make_exception_ptr(
          DescriptorClosed(ECANCELED, std::generic_category(),
                           "the task that sends what was written ended before that was sent"));
    }
    fail(std::move(error));
  }
  paused_ = false;
  if (closing) abort();
  waiters_.wake_all();
}

/// What was written can't be sent, and who did has gone on: peer and reader may wait for each other
/// now. Where the peer is gone, what it sent last can still be read, and its end.
void StreamState::fail(std::exception_ptr error) noexcept {
  error_ = std::move(error);
  outgoing.clear();
  try {
    std::rethrow_exception(error_);
  } catch (const std::system_error& reason) {
    if (reason.code().value() == EPIPE || reason.code().value() == ECONNRESET) return;
  } catch (...) {
  }
  close_now();
}

void StreamState::drain(const char* call) {
  const Ref self(this);  // the Stream may go while this waits
  wait_for_room(call);
}

void StreamState::wait_for_room(const char* call) {
  while (paused_) waiters_.wait(call);
  check_error();
}

void StreamState::write_eof() {
  check_error();
  if (eof_wanted_ || closing) return;
  eof_wanted_ = true;
  if (!sending_) end_writing();
}

void StreamState::end_writing() {
  if (is_socket) {
    socket.shutdown(Shutdown::writing);
  } else {
    socket.close();  // of a pipe, which has no other direction
  }
}

void StreamState::close() {
  if (closing) return;
  closing = true;
  if (const auto heir = successor.lock()) return heir->close_stream();
  if (!sending_) abort();
}

void StreamState::abort() noexcept {
  closing = true;
  close_now();
}

void StreamState::close_now() noexcept {
  try {
    if (const auto heir = successor.lock()) heir->abort_stream();
    socket.close();
  } catch (const RuntimeError&) {  // on another thread: its owner's destructor says so
  }
}

void StreamState::wait_closed() {
  const Ref self(this);
  if (!closing) throw RuntimeError("wait_closed: close() the stream first");
  while (sending_) waiters_.wait("wait_closed");
  check_error();
}

}  // namespace jumpcut::impl
