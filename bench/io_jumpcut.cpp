// The server as one writes it with this library.

#include <jumpcut/jumpcut.hpp>

#include "io_servers.hpp"

#include <string>

namespace {

void serve_echo(jumpcut::Stream& stream) {
  for (std::string data; !(data = stream.read(server_room)).empty();) stream.write(data);
}

void serve_http(jumpcut::Stream& stream) {
  try {
    for (;;) {
      stream.read_until(http_head_end);
      stream.write(http_hello);
    }
  } catch (const jumpcut::IncompleteReadError&) {  // the client has gone
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
