// The server as one writes it by hand: a loop around epoll_wait() that calls what is registered
// with a descriptor. No more than it takes, but all of that: what can't be sent at once is kept,
// and until it is sent nothing is read.

#include "io_servers.hpp"

#include <array>
#include <cerrno>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

class Handler {
 public:
  explicit Handler(int fd) noexcept : fd_(fd) {}
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() { close(fd_); }
  virtual void ready(std::uint32_t events) = 0;
  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

class Loop {
 public:
  void watch(Handler& handler, std::uint32_t events, bool known) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &handler;
    epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, handler.fd(), &event);
  }
  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        static_cast<Handler*>(event.data.ptr)->ready(event.events);
      }
    }
  }

  std::array<char, server_room> room;

 private:
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
};

class Connection final : public Handler {
 public:
  Connection(Loop& loop, int fd, Protocol protocol)
      : Handler(fd), loop_(loop), protocol_(protocol) {
    loop.watch(*this, EPOLLIN, false);
  }

  void ready(std::uint32_t events) override {
    const bool open = (events & EPOLLOUT) != 0 ? send_rest() : receive();
    if (!open) delete this;
  }

 private:
  bool receive() {
    const ssize_t size = read(fd(), loop_.room.data(), loop_.room.size());
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    const std::string_view data(loop_.room.data(), static_cast<std::size_t>(size));
    return protocol_ == Protocol::echo ? send(data) : answer(data);
  }

  bool answer(std::string_view data) {
    if (!incoming_.empty()) data = incoming_.append(data);
    std::size_t count = take_requests(data);
    incoming_ = std::string(data);
    while (count-- > 0) {
      if (!send(http_hello)) return false;
    }
    return true;
  }

  bool send(std::string_view data) {
    if (outgoing_.empty()) {
      const ssize_t size = ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (size > 0) data.remove_prefix(static_cast<std::size_t>(size));
      if (data.empty()) return true;
      loop_.watch(*this, EPOLLOUT, true);
    }
    outgoing_.append(data);
    return true;
  }

  bool send_rest() {
    const ssize_t size = ::send(fd(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    outgoing_.erase(0, static_cast<std::size_t>(size));
    if (outgoing_.empty()) loop_.watch(*this, EPOLLIN, true);
    return true;
  }

  Loop& loop_;
  const Protocol protocol_;
  std::string incoming_;
  std::string outgoing_;
};

class Listener final : public Handler {
 public:
  Listener(Loop& loop, int fd, Protocol protocol) : Handler(fd), loop_(loop), protocol_(protocol) {
    loop.watch(*this, EPOLLIN, false);
  }

  void ready(std::uint32_t) override {
    const int fd = accept4(this->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    new Connection(loop_, fd, protocol_);  // which deletes itself once it is closed
  }

 private:
  Loop& loop_;
  const Protocol protocol_;
};

void serve(Protocol protocol) {
  Loop loop;
  const Listener listener(loop, listen_and_announce(), protocol);
  loop.run();
}

const ServerLoop loop("epoll", serve);

}  // namespace
