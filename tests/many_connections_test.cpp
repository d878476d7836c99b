// Very many connections at once to one server, and every byte of what they say: it comes back to
// the one who sent it, once and in order. How many is the build's choice: CONNECTIONS, ROUNDS.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"

namespace {

/// What a client sends: nobody sends the same twice.
using Message = std::array<std::uint32_t, 8>;
Message message(std::uint32_t client, std::uint32_t round) {
  Message text{};
  for (std::uint32_t i = 0; i < text.size(); ++i)
    text[i] = client * 2'654'435'761u + round * 31 + i;
  return text;
}

/// How many connections the process may have, of those wanted; raises the limit as far as it goes.
std::uint32_t allowed_connections() {
  constexpr rlim_t others = 64;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::uint32_t>(std::min<rlim_t>(CONNECTIONS, limit.rlim_cur - others));
}

/// The clients, all in one process that knows nothing of the library.
class Clients {
 public:
  Clients(std::uint16_t port, std::uint32_t count) : clients_(count) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::uint32_t i = 0; i < count; ++i) {
      const int fd = clients_[i].fd = socket(AF_INET, SOCK_STREAM, 0);
      expect(fd >= 0, "a client gets a descriptor");
      expect(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
             "a client connects");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  /// All have said all, and heard it again.
  void run() {
    for (std::uint32_t i = 0; i < clients_.size(); ++i) say(i);
    std::array<epoll_event, 256> events;
    for (std::size_t left = clients_.size() * ROUNDS; left > 0;) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const std::uint32_t client = events[static_cast<std::size_t>(i)].data.u32;
        if (!hear(client)) continue;
        --left;
        if (++clients_[client].round < ROUNDS) say(client);
      }
    }
    // Each hears the end, and nothing else.
    for (const Client& client : clients_) shutdown(client.fd, SHUT_WR);
    for (const Client& client : clients_) {
      char byte = 0;
      expect(recv(client.fd, &byte, 1, 0) == 0, "nothing comes that was not sent");
    }
  }

 private:
  struct Client {
    int fd = -1;
    std::uint32_t round = 0;
    std::size_t heard = 0;
    Message answer{};
  };

  void say(std::uint32_t client) {
    const Message text = message(client, clients_[client].round);
    expect(send(clients_[client].fd, text.data(), sizeof text, MSG_NOSIGNAL) == sizeof text,
           "a client can send");
  }

  /// True once its message has come back whole.
  bool hear(std::uint32_t number) {
    Client& client = clients_[number];
    const ssize_t size =
        recv(client.fd, reinterpret_cast<char*>(client.answer.data()) + client.heard,
             sizeof client.answer - client.heard, 0);
    expect(size > 0, "the server goes on");
    client.heard += static_cast<std::size_t>(size);
    if (client.heard < sizeof client.answer) return false;
    client.heard = 0;
    expect(client.answer == message(number, client.round), "what comes back is what was sent");
    return true;
  }

  const int epoll_ = epoll_create1(0);
  std::vector<Client> clients_;
};

/// In KiB.
std::size_t memory() {
  std::ifstream status("/proc/self/status");
  std::size_t sum = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:") || line.starts_with("VmPTE:")) sum += std::stoul(line.substr(6));
  }
  return sum;
}

struct Served {
  explicit Served(std::uint32_t wanted) : all(wanted) {}

  void serve(jumpcut::Stream& stream) {
    most = std::max(most, ++now);
    bool spoke = false;
    for (std::string data; !(data = stream.read(4096)).empty();) {
      stream.write(data);
      bytes += data.size();
      // Some have said all before others are accepted. They stay until the last has heard all.
      if (!std::exchange(spoke, true) && ++spoken == all) everybody_spoke.set();
    }
    --now;
  }

  const std::uint32_t all;
  std::uint32_t now = 0;
  std::uint32_t most = 0;
  std::uint32_t spoken = 0;
  std::uint64_t bytes = 0;
  jumpcut::Event everybody_spoke;
};

}  // namespace

TEST_CASE("very many clients of one server hear what they said, all of it") {
  const std::uint32_t count = allowed_connections();
  std::array<int, 2> port_pipe{};
  REQUIRE(pipe(port_pipe.data()) == 0);
  const pid_t client_process = fork();
  if (client_process == 0) {
    std::uint16_t port = 0;
    expect(read(port_pipe[0], &port, sizeof port) == sizeof port, "the server starts");
    Clients(port, count).run();
    _exit(0);
  }
  jumpcut::run([&] {
    Served served(count);
    jumpcut::Server server = jumpcut::start_server(
        [&](jumpcut::Stream& stream) { served.serve(stream); }, "127.0.0.1", 0, {.backlog = 4096});
    const std::size_t before = memory();
    const std::uint16_t port = server.addresses().front().port();
    REQUIRE(write(port_pipe[1], &port, sizeof port) == sizeof port);

    served.everybody_spoke.wait();
    const std::size_t used = memory() - before;
    CHECK(served.now == count);
    std::printf("%u connections, %.2f KiB each\n", count,
                static_cast<double>(used) / static_cast<double>(count));
#if PLAIN_BUILD
    CHECK(used < std::size_t{12} * count);
#endif

    int status = -1;
    jumpcut::to_thread([&] { waitpid(client_process, &status, 0); });
    CHECK(status == 0);
    server.close();
    server.wait_closed();
    CHECK(served.most == count);
    CHECK(served.bytes == std::uint64_t{count} * ROUNDS * sizeof(Message));
    std::printf("%llu messages came back\n",
                static_cast<unsigned long long>(served.bytes / sizeof(Message)));
  });
  for (const int end : port_pipe) close(end);
}
