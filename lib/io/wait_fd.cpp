#include <jumpcut/wait_fd.hpp>

#include "base/system_error.hpp"
#include "loop/descriptors.hpp"
#include "loop/loop_state.hpp"

#include <cerrno>
#include <string>

#include <poll.h>

namespace jumpcut {

namespace {

bool is_ready(int fd, bool writing, const char* call) {
  pollfd one{fd, static_cast<short>(writing ? POLLOUT : POLLIN), 0};
  int count = 0;
  do {
    count = poll(&one, 1, 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) impl::throw_system_error(errno, "%s on descriptor %d", call, fd);
  if (fd < 0 || (one.revents & POLLNVAL) != 0) {  // poll passes over what is negative
    impl::throw_system_error(EBADF, "%s on descriptor %d, which is not open", call, fd);
  }
  return count > 0;
}

void wait_until_ready(int fd, bool writing, const char* call) {
  impl::TaskBase& task = impl::TaskBase::running(call);
  impl::Descriptors& descriptors = *impl::LoopState::of(*task.space().loop).descriptors;
  if (descriptors.is_share_used()) impl::TaskBase::yield(call);
  while (!is_ready(fd, writing, call)) {
    impl::DescriptorWait one(task.space(), call,
                             writing ? impl::PollEvent::writable : impl::PollEvent::readable);
    descriptors.wait(fd, one);
    if (one.was_closed()) {
      throw DescriptorClosed(
          EBADF, std::generic_category(),
          std::string(call) + " on descriptor " + std::to_string(fd) + ": it was closed meanwhile");
    }
    // Of one that has an owner, the poller tells more than was asked for.
    if (!descriptors.is_owned(fd)) return;
  }
}

}  // namespace

void wait_readable(int fd) {
  wait_until_ready(fd, false, "wait_readable");
}

void wait_writable(int fd) {
  wait_until_ready(fd, true, "wait_writable");
}

void notify_closing(int fd) {
  impl::LoopState::running("notify_closing").descriptors->closing(fd);
}

}  // namespace jumpcut
