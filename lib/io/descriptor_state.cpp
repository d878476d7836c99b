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
    watched_ = nullptr;
    descriptors->disown(fd, owner_);
  }
  return fd;
}

void DescriptorState::close() noexcept {
  const int fd = let_go();
  // Whatever it says, EINTR too: on Linux the number is free by now.
  if (fd >= 0) ::close(fd);
}

void DescriptorState::destroy() noexcept {
  delete this;
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
  watched_ = nullptr;  // it was the other's
  Watched& watched = loop.descriptors->own(fd_);
  descriptors_ = loop.descriptors;
  watched_ = &watched;
  owner_ = watched.generation;
}

[[gnu::hot]] void DescriptorState::wait(LoopState& loop, const char* call, std::uint32_t ready,
                                        TimePoint deadline) {
  if (descriptors_ != loop.descriptors) [[unlikely]]
    bind(loop, call);
  if (watched_->generation != owner_) [[unlikely]]
    throw_closed(call);  // not by us
  DescriptorWait one(*loop.space, call, ready);
  if (deadline != TimePoint::max()) [[unlikely]] {
    wait_until(loop, one, deadline);
  } else {
    loop.descriptors->wait_owned(fd_, *watched_, one);
  }
  if (one.was_closed()) [[unlikely]]
    throw_closed(call);
  this_core->prefetch_next_stack();
}

void DescriptorState::wait_until(LoopState& loop, DescriptorWait& one, TimePoint deadline) {
  const Alarm alarm(loop, deadline, one.waiting());
  loop.descriptors->wait_owned(fd_, *watched_, one);
}

void Operation::let_others_go_on() const {
  TaskBase::yield(call_);
  static_cast<void>(loop_.descriptors->is_share_used());
  if (fd() < 0) state_->throw_closed(call_);
}

ssize_t Operation::write_some(iovec* vectors, int count) const noexcept {
  if (state_->is_socket()) {
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(count);
    return sendmsg(fd(), &message, MSG_NOSIGNAL);
  }
  return write_quietly(fd(), vectors, count);
}

}  // namespace jumpcut::impl
