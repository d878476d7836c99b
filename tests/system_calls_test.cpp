// How many system calls a request costs a server: as many as one makes who writes the loop around
// epoll by hand. All that the loop's thread makes are counted, by ptrace. The clients are the
// tracer, and speak while the server is about to wait, so the counts are the same each time. They
// are connected by Unix sockets, where what is sent has arrived when the call returns: TCP may hold
// it back for a moment even on loopback, as where its congestion control paces what is sent (BBR).

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace {

constexpr std::size_t message_size = 64;

/// Where the server listens: named after the test's process.
sockaddr_un listening_address(pid_t test) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/tmp/jumpcut-calls-%d", test);
  return address;
}

void serve_by_jumpcut(const sockaddr_un& address) {
  jumpcut::run([&] {
    jumpcut::Server server = jumpcut::start_unix_server(
        [](jumpcut::Stream& stream) {
          for (std::string data; !(data = stream.read(4096)).empty();) stream.write(data);
        },
        address.sun_path);
    server.serve_forever();
  });
}

/// No less than it takes as long as all goes well, which it does here.
void serve_by_hand(const sockaddr_un& address) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (bind(listener, where, sizeof address) != 0 || listen(listener, 100) != 0) _exit(1);
  const int epoll = epoll_create1(0);
  const auto watch = [&](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener);
  std::array<epoll_event, 256> events;
  std::array<char, 4096> room;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        watch(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
        continue;
      }
      const ssize_t length = read(fd, room.data(), room.size());
      if (length > 0 && send(fd, room.data(), static_cast<std::size_t>(length), 0) < 0) _exit(1);
    }
  }
}

class Clients {
 public:
  Clients(const sockaddr_un& address, int count) {
    for (int i = 0; i < count; ++i) {
      const int fd = sockets_.emplace_back(socket(AF_UNIX, SOCK_STREAM, 0));
      REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    speak();
  }
  ~Clients() {
    for (const int fd : sockets_) close(fd);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void speak() {
    const std::string text(message_size, 'x');
    for (const int fd : sockets_) REQUIRE(send(fd, text.data(), text.size(), 0) == message_size);
    missing_ = sockets_.size() * message_size;
  }
  /// True once all that was said last has come back.
  bool hear() {
    std::array<char, 2 * message_size> room;
    for (const int fd : sockets_) {
      const ssize_t size = recv(fd, room.data(), room.size(), MSG_DONTWAIT);
      if (size > 0) missing_ -= static_cast<std::size_t>(size);
    }
    return missing_ == 0;
  }

 private:
  std::vector<int> sockets_;
  std::size_t missing_ = 0;
};

bool is_wait(std::uint64_t call) {
  constexpr std::uint64_t epoll_pwait2 = 441;
#ifdef SYS_epoll_wait
  if (call == SYS_epoll_wait) return true;
#endif
  return call == SYS_epoll_pwait || call == epoll_pwait2;
}

using Counts = std::map<std::string, int>;

void count(Counts& counts, std::uint64_t call) {
  const bool reads = call == SYS_read || call == SYS_recvfrom;
  const bool sends = call == SYS_write || call == SYS_sendto;
  ++counts[is_wait(call) ? "wait" : reads ? "read" : sends ? "send" : std::to_string(call)];
}

std::string text(const Counts& counts) {
  std::string all;
  for (const auto& [name, number] : counts) all += name + ' ' + std::to_string(number) + ", ";
  return all;
}

/// Goes on until the process enters a system call or ends; false at its end.
bool run_to_next_call(pid_t process, std::uint64_t& call) {
  for (int signal = 0;;) {
    ptrace(PTRACE_SYSCALL, process, nullptr, signal);
    signal = 0;
    int status = 0;
    if (waitpid(process, &status, 0) < 0 || !WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status);
      continue;
    }
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof info, &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    call = info.entry.nr;
    // Whether the system knows a call is found out with a descriptor that is none.
    if (is_wait(call) && static_cast<int>(info.entry.args[0]) < 0) continue;
    return true;
  }
}

/// What the server's thread calls while each of so many clients makes so many requests.
Counts calls_of(void (*serve)(const sockaddr_un&), int connections, int rounds) {
  const sockaddr_un address = listening_address(getpid());
  const pid_t process = fork();
  if (process == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
    // Where the tracer is kept waiting for long, the watchdog would rest, or ask what takes so
    // long.
    setenv("JUMPCUT_WATCHDOG", "off", 1);
    raise(SIGSTOP);
    serve(address);
    _exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  if (WIFEXITED(status)) return {};
  ptrace(PTRACE_SETOPTIONS, process, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);

  constexpr int warm_up = 3;
  Counts counts;
  std::unique_ptr<Clients> clients;
  std::uint64_t call = 0;
  for (int round = 0; round < warm_up + rounds && run_to_next_call(process, call);) {
    if (round >= warm_up) count(counts, call);
    if (!is_wait(call)) continue;
    if (clients == nullptr) {
      clients = std::make_unique<Clients>(address, connections);
    } else if (clients->hear()) {
      clients->speak();
      ++round;
    }
  }
  kill(process, SIGKILL);
  waitpid(process, &status, 0);
  unlink(address.sun_path);
  return counts;
}

}  // namespace

TEST_CASE("a request costs a server the system calls that it costs a loop written by hand") {
  constexpr int rounds = 100;
  for (const int connections : {1, 64}) {
    const Counts ours = calls_of(serve_by_jumpcut, connections, rounds);
    const Counts by_hand = calls_of(serve_by_hand, connections, rounds);
    if (by_hand.empty()) {
      WARN("skipped: no process may be traced here");
      return;
    }
    CHECK(text(ours) == text(by_hand));
    const int requests = rounds * connections;
    CHECK(text(ours) == text({{"wait", rounds}, {"read", requests}, {"send", requests}}));
  }
}
