// One server, written for four loops: what sends back what it is sent, and what says hello by HTTP.
// Each runs alone in a process, `bench --serve LOOP PROTOCOL CORE`, on one core.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

enum class Protocol : bool { echo, http };

/// A loop that the server is written for. Each file defines one, which puts itself on the list.
class ServerLoop {
 public:
  /// Announces the port it listens on, and serves until the process is killed.
  using Serve = void (*)(Protocol protocol);

  ServerLoop(const char* name, Serve function) noexcept;
  ServerLoop(const ServerLoop&) = delete;
  ServerLoop& operator=(const ServerLoop&) = delete;
  ~ServerLoop() = default;

  void serve(Protocol protocol) const { serve_(protocol); }
  /// Null if there is none of that name in this program.
  static const ServerLoop* find(std::string_view name) noexcept;

 private:
  const char* const name_;
  const Serve serve_;
  const ServerLoop* const next_;
};

// What they share.

constexpr std::string_view http_head_end = "\r\n\r\n";
constexpr std::string_view http_hello =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

/// How many may wait to be accepted; and the most that is read at once.
constexpr int server_backlog = 4096;
constexpr std::size_t server_room = 64 * 1024;

/// A line with it on standard output.
void announce_port(std::uint16_t port);
/// A listening socket on a port that the system chose, which is announced.
int listen_and_announce();

/// Requests that have come whole are taken from the front of `text`; returns how many.
inline std::size_t take_requests(std::string_view& text) noexcept {
  std::size_t count = 0;
  for (std::size_t end; (end = text.find(http_head_end)) != std::string_view::npos; ++count) {
    text.remove_prefix(end + http_head_end.size());
  }
  return count;
}
