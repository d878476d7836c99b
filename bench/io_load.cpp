#include "io_load.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

const cpu_set_t& cores_at_start() {
  static const cpu_set_t cores = [] {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0) fail("sched_getaffinity");
    return all;
  }();
  return cores;
}

}  // namespace

int core_for_both() {
  int core = 0;
  while (core < CPU_SETSIZE && !CPU_ISSET(core, &cores_at_start())) ++core;
  return core;
}

void run_on_core(int core) {
  cpu_set_t cores = cores_at_start();
  if (core >= 0) {
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
  }
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) fail("sched_setaffinity");
}

ServerProcess::ServerProcess(std::string_view loop, std::string_view protocol) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) fail("pipe");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&files, ends[0]);
  posix_spawn_file_actions_addclose(&files, ends[1]);
  std::array<std::string, 5> words{"bench", "--serve", std::string(loop), std::string(protocol),
                                   std::to_string(core_for_both())};
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  const int error =
      posix_spawn(&process_, "/proc/self/exe", &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  close(ends[1]);
  std::FILE* output = fdopen(ends[0], "r");
  int port = 0;
  const bool told = error == 0 && std::fscanf(output, "%d", &port) == 1;
  std::fclose(output);
  if (!told) throw std::runtime_error("a server did not start");
  port_ = static_cast<std::uint16_t>(port);
}

ServerProcess::~ServerProcess() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

std::chrono::nanoseconds ServerProcess::cpu_time() const {
  clockid_t clock{};
  if (clock_getcpuclockid(process_, &clock) != 0) throw std::runtime_error("a server has ended");
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

struct EchoLoad::Connection {
  int fd = -1;
  std::size_t missing = 0;  // of the answer
};

EchoLoad::EchoLoad(std::uint16_t port, int connections) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < connections; ++i) {
    auto& connection = *connections_.emplace_back(std::make_unique<Connection>());
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("connect");
    }
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
  }
}

EchoLoad::~EchoLoad() {
  for (const auto& connection : connections_) close(connection->fd);
  close(epoll_);
}

/// True once the last of it has come.
bool EchoLoad::take_answer(Connection& connection) {
  std::array<char, message_size> room;
  const ssize_t size = recv(connection.fd, room.data(), connection.missing, 0);
  if (size <= 0) fail("recv");
  connection.missing -= static_cast<std::size_t>(size);
  return connection.missing == 0;
}

void EchoLoad::exchange(int messages) {
  const auto send_next = [](Connection& connection) {
    constexpr std::array<char, message_size> message{};
    if (send(connection.fd, message.data(), message.size(), MSG_NOSIGNAL) != message_size) {
      fail("send");
    }
    connection.missing = message_size;
  };
  for (const auto& connection : connections_) {
    if (connection->missing == 0) send_next(*connection);
  }
  std::array<epoll_event, 256> events;
  while (messages > 0) {
    const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!take_answer(connection)) continue;
      --messages;
      send_next(connection);
    }
  }
}
