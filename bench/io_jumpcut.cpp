// The server as one writes it with this library.

#include <jumpcut/jumpcut.hpp>

#include "io_servers.hpp"

#include <array>
#include <cstddef>
#include <exception>
#include <string>
#include <system_error>

namespace {

void serve_echo(jumpcut::Stream& stream) {
  try {
    std::array<char, 1024> room;  // less than the others', which have it once for all connections
    while (const std::size_t size = stream.read_into(room)) stream.write({room.data(), size});
  } catch (const std::system_error&) {  // the client has gone
  }
}

void serve_http(jumpcut::Stream& stream) {
  try {
    for (std::string head;;) {
      stream.read_until_into(head, http_head_end);
      stream.write(http_hello);
    }
  } catch (const std::exception&) {  // the client has gone
  }
}

void serve(Protocol protocol) {
  jumpcut::run([protocol] {
    jumpcut::Server server =
        jumpcut::start_server(protocol == Protocol::echo ? serve_echo : serve_http, "127.0.0.1", 0,
                              {.backlog = server_backlog});
    announce_port(server.addresses().front().port());
    server.serve_forever();
  });
}

const ServerLoop loop("jumpcut", serve);

}  // namespace
