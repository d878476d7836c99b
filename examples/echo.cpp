// echo: a server and three clients, over TCP on this machine.
//
//   $ ./echo
//   ann says hello, and hears HELLO
//   ben says hello, and hears HELLO
//   cem says hello, and hears HELLO
//   the server served 3 clients, 6 lines
//
// `./echo PORT` serves whoever comes there, 0 for any port, until it is interrupted: try nc on it.

#include <jumpcut/jumpcut.hpp>

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct Served {
  int clients = 0;
  int lines = 0;
};

/// A task of its own for each connection, until the client sends no more.
void serve(jumpcut::Stream& stream, Served& served) {
  ++served.clients;
  for (std::string& line : stream) {
    for (char& letter : line) {
      letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    stream.write(line);
    ++served.lines;
  }
}

std::string ask(jumpcut::Stream& stream, const std::string& line) {
  stream.write(line + "\n");
  std::string answer = stream.read_line();
  answer.pop_back();
  return answer;
}

}  // namespace

int main(int count, char** arguments) {
  const auto port = static_cast<std::uint16_t>(count > 1 ? std::atoi(arguments[1]) : 0);
  jumpcut::run([&] {
    Served served;
    jumpcut::Server server = jumpcut::start_server(
        [&](jumpcut::Stream& stream) { serve(stream, served); }, "127.0.0.1", port);
    const jumpcut::Address address = server.addresses().front();
    if (count > 1) {
      std::printf("serving at %s\n", address.to_string().c_str());
      std::fflush(stdout);
      server.serve_forever();
    }

    std::vector<jumpcut::Task<std::string>> clients;
    for (const char* name : {"ann", "ben", "cem"}) {
      clients.push_back(jumpcut::create_task([&address, name] {
        jumpcut::Stream stream = jumpcut::open_connection(address);
        ask(stream, std::string("this is ") + name);
        return name + std::string(" says hello, and hears ") + ask(stream, "hello");
      }));
    }
    for (const std::string& text : jumpcut::gather(clients)) std::puts(text.c_str());

    server.close();
    server.wait_closed();
    std::printf("the server served %d clients, %d lines\n", served.clients, served.lines);
  });
}
