// What drives a server: its process, and a client.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// The first and the last of the cores that this process may use: for servers, and for clients. One
/// and the same where there is only one.
struct Cores {
  int server = 0;
  int client = 0;
};
Cores choose_cores();
/// The calling thread runs there from now on; -1: where it could when the program started.
void run_on_core(int core);

/// This program in a process of its own, as `bench --serve LOOP PROTOCOL CORE`, which is killed in
/// the end.
class ServerProcess {
 public:
  ServerProcess(std::string_view loop, std::string_view protocol);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();

  std::uint16_t port() const noexcept { return port_; }
  /// What it has used of its core until now.
  std::chrono::nanoseconds cpu_time() const;

 private:
  pid_t process_ = -1;
  std::uint16_t port_ = 0;
};

/// Connections to an echo server, each of which has one message on its way at any time.
class EchoLoad {
 public:
  EchoLoad(std::uint16_t port, int connections);
  EchoLoad(const EchoLoad&) = delete;
  EchoLoad& operator=(const EchoLoad&) = delete;
  ~EchoLoad();

  /// Returns once so many more have come back.
  void exchange(int messages);

  static constexpr std::size_t message_size = 64;

 private:
  struct Connection;

  bool take_answer(Connection& connection);

  const int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
};
