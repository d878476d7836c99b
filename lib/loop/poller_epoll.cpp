// Level triggered where nobody asks for edges, as asyncio's readers are: who does not read
// everything is told again.

#include "poller.hpp"

#include <jumpcut/error.hpp>

#include "base/sanitizers.hpp"
#include "base/system_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

namespace jumpcut::impl {

namespace {

/// The kernel's own, whatever the C library takes for time_t.
struct Timespec {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

long epoll_pwait2(int epoll, epoll_event* events, int size, const Timespec* timeout) noexcept {
  return syscall(SYS_epoll_pwait2, epoll, events, size, timeout, nullptr, std::size_t{0});
}

/// Linux before 5.11 and some emulators say ENOSYS; some sandboxes, which know it not, EPERM.
bool has_epoll_pwait2() noexcept {
  if constexpr (sanitizers::holds_signals) return false;
  static const bool has = epoll_pwait2(-1, nullptr, 1, nullptr) < 0 && errno == EBADF;
  return has;
}

int milliseconds_up(std::int64_t nanoseconds) noexcept {
  if (nanoseconds < 0) return -1;
  constexpr std::int64_t milli = 1'000'000;
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(nanoseconds / milli + (nanoseconds % milli != 0 ? 1 : 0), most));
}

std::uint32_t ready_of(std::uint32_t bits) noexcept {
  std::uint32_t ready = 0;
  if ((bits & ~std::uint32_t{EPOLLOUT}) != 0) ready |= PollEvent::readable;
  if ((bits & ~std::uint32_t{EPOLLIN | EPOLLRDHUP}) != 0) ready |= PollEvent::writable;
  if ((bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) ready |= PollEvent::ended;
  return ready;
}

class EpollPoller final : public Poller {
 public:
  explicit EpollPoller(bool fine) : fine_(fine), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw_system_error(errno, "epoll_create1");
  }
  ~EpollPoller() override { close(epoll_); }

  bool watch(int fd, std::uint32_t interest, std::uint64_t tag) override {
    if (getpid() != process_) return refuse_fork(interest);
    if (interest == 0) {
      remove(fd);
      return false;
    }
    epoll_event event{};
    event.data.u64 = tag;
    if ((interest & PollEvent::readable) != 0) event.events |= EPOLLIN;
    if ((interest & PollEvent::writable) != 0) event.events |= EPOLLOUT;
    if ((interest & PollEvent::edge) != 0) event.events |= EPOLLET | EPOLLRDHUP | EPOLLPRI;
    // Only the kernel knows what is registered: a descriptor may have been closed, and its number
    // be another's.
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
    if (errno == EEXIST && epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0) return false;
    throw_watch(fd, errno);
  }

  [[gnu::hot]] std::size_t wait(std::span<PollEvent> events, std::int64_t timeout) override {
    const int size = static_cast<int>(std::min(events.size(), buffer_.size()));
    const long count = wait_for(size, timeout);
    if (count < 0) {
      if (errno == EINTR) return 0;
      throw_system_error(errno, "epoll_wait on descriptor %d", epoll_);
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      events[i] = {buffer_[i].data.u64, ready_of(buffer_[i].events)};
    }
    return static_cast<std::size_t>(count);
  }

  int fd() const noexcept override { return epoll_; }

 private:
  long wait_for(int size, std::int64_t timeout) noexcept {
    if (!fine_) return epoll_wait(epoll_, buffer_.data(), size, milliseconds_up(timeout));
    constexpr std::int64_t second = 1'000'000'000;
    const Timespec time{timeout / second, timeout % second};
    return epoll_pwait2(epoll_, buffer_.data(), size, timeout < 0 ? nullptr : &time);
  }

  void remove(int fd) {
    if (epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0) return;
    // EPERM: what can't be watched is not watched.
    if (errno == ENOENT || errno == EBADF || errno == EPERM) return;
    throw_watch(fd, errno);
  }

  static bool refuse_fork(std::uint32_t interest) {
    if (interest == 0) return false;
    throw RuntimeError(
        "a loop can't watch descriptors in a process that was forked since it was made; make a new "
        "one there");
  }

  [[noreturn]] static void throw_watch(int fd, int error) {
    switch (error) {
      case EPERM:
        throw_system_error(error,
                           "epoll_ctl on descriptor %d: regular files and directories can't be "
                           "watched, reading them never says to wait",
                           fd);
      case EBADF:
        throw_system_error(error, "epoll_ctl on descriptor %d, which is not open", fd);
      case ENOSPC:
        throw ResourceError(
            "epoll_ctl on descriptor %d: the user watches as many as may be; raise that with "
            "`sysctl fs.epoll.max_user_watches`",
            fd);
      default:
        throw_system_error(error, "epoll_ctl on descriptor %d", fd);
    }
  }

  const bool fine_;
  const int epoll_;
  const pid_t process_ = getpid();
  std::array<epoll_event, events_at_once> buffer_{};
};

}  // namespace

std::unique_ptr<Poller> make_poller() {
  return std::make_unique<EpollPoller>(has_epoll_pwait2());
}

std::unique_ptr<Poller> make_coarse_poller() {
  return std::make_unique<EpollPoller>(false);
}

}  // namespace jumpcut::impl
