#include "io/descriptor_state.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/wait_fd.hpp>

#include "base/system_error.hpp"
#include "io/sigpipe.hpp"
#include "loop/alarm.hpp"
#include "loop/loop_state.hpp"

#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

template <class Get>
Address ask(Get get, int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (get(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return Address::from_sockaddr(&address, size);
}

}  // namespace

bool DescriptorState::is_elsewhere() const noexcept {
  return descriptors_ != nullptr && !descriptors_->is_closed() && !descriptors_->on_its_thread();
}

void DescriptorState::check_thread(const char* call) const {
  if (!is_elsewhere()) return;
  throw RuntimeError(std::string(call) + " on descriptor " + std::to_string(number_) +
                     ": it belongs to another thread's loop; make the call there, by "
                     "call_soon_threadsafe");
}

int DescriptorState::let_go() noexcept {
  const int fd = std::exchange(fd_, -1);
  // Before the number can be another's.
  if (const auto descriptors = std::exchange(descriptors_, nullptr)) {
    descriptors->disown(fd, owner_);
  }
  return fd;
}

void DescriptorState::close() noexcept {
  const int fd = let_go();
  // Whatever it says, EINTR too: on Linux the number is free by now.
  if (fd >= 0) ::close(fd);
}

void DescriptorState::throw_closed(const char* call) const {
  std::string text = call;
  if (number_ >= 0) text += " on descriptor " + std::to_string(number_);
  throw DescriptorClosed(EBADF, std::generic_category(), text + ", which is closed");
}

void DescriptorState::fail(const char* call, int error, const Address* peer) const {
  Address address;
  const char* relation = "to";
  if (peer != nullptr) {
    address = *peer;
  } else if (is_socket_) {
    address = ask(getpeername, fd_);
    relation = "connected to";
    if (address.family() == AddressFamily::none) {
      address = ask(getsockname, fd_);
      relation = "bound to";
    }
  }
  std::string text = std::string(call) + " on descriptor " + std::to_string(fd_);
  if (address.family() != AddressFamily::none) {
    text += std::string(", ") + relation + ' ' + address.to_string();
  }
  throw_system_error(error, "%s", text.c_str());
}

/// To the loop of the first task that waits, or the next if that was closed.
void DescriptorState::bind(LoopState& loop, const char* call) {
  if (descriptors_ != nullptr && !descriptors_->is_closed()) {
    throw RuntimeError(std::string(call) + " on descriptor " + std::to_string(fd_) +
                       ": it belongs to another loop, the first whose task waited for it");
  }
  descriptors_ = nullptr;
  owner_ = loop.descriptors->own(fd_);
  descriptors_ = loop.descriptors;
}

void DescriptorState::wait(LoopState& loop, TaskBase& task, const char* call, std::uint32_t ready,
                           TimePoint deadline) {
  if (descriptors_ != loop.descriptors) bind(loop, call);
  if (!descriptors_->is_owned_by(fd_, owner_)) throw_closed(call);  // not by us
  DescriptorWait one(task, call, ready);
  if (deadline == TimePoint::max()) {
    loop.descriptors->wait(fd_, one);
  } else {
    const Alarm alarm(loop, deadline, one.waiting());
    loop.descriptors->wait(fd_, one);
  }
  if (one.was_closed()) throw_closed(call);
}

Operation::Operation(const Descriptor& descriptor, const char* call)
    : task_(TaskBase::running(call)),
      loop_(LoopState::of(*task_.space().loop)),
      state_(open(descriptor, call)),
      call_(call) {
  // Before the call, so that what it brings is not lost if the task is cancelled here.
  if (!loop_.descriptors->is_share_used()) return;
  TaskBase::yield(call);
  static_cast<void>(loop_.descriptors->is_share_used());
  if (fd() < 0) state_->throw_closed(call);
}

ssize_t Operation::write_some(std::string_view data) const noexcept {
  if (state_->is_socket()) return ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL);
  iovec one{const_cast<char*>(data.data()), data.size()};
  return write_some(&one, 1);
}

ssize_t Operation::write_some(iovec* vectors, int count) const noexcept {
  if (state_->is_socket()) {
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(count);
    return sendmsg(fd(), &message, MSG_NOSIGNAL);
  }
  NoSigpipe quiet;
  const ssize_t result = ::writev(fd(), vectors, count);
  if (result < 0 && errno == EPIPE) quiet.raised();
  return result;
}

DescriptorState* Operation::open(const Descriptor& descriptor, const char* call) {
  if (descriptor.state_ == nullptr || descriptor.state_->fd() < 0) {
    static_cast<void>(descriptor.open_fd(call));  // throws
  }
  return descriptor.state_;
}

}  // namespace jumpcut::impl
