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

/// The first of the cores that this process may use: for the server, and for the client too. On
/// two cores the same server's request takes 3.6 us in one run and 4.6 in the next, by which of the
/// two happens to be the slower one.
int core_for_both();
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
