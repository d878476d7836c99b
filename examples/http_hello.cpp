// http_hello: says hello by HTTP/1.1, on a connection as often as it is asked.
//
//   $ ./http_hello
//   GET / : 200 OK, Hello, world!
//   GET /again : 200 OK, Hello, world!
//   DELETE / : 405 Method Not Allowed
//
// `./http_hello PORT` listens there, 0 for any, until it is interrupted: try curl and wrk on it.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view head_end = "\r\n\r\n";

std::string response(std::string_view status, std::string_view body, bool last) {
  std::string text = "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: text/plain\r\n";
  if (last) text += "Connection: close\r\n";
  text += "Content-Length: " + std::to_string(body.size()) + std::string(head_end);
  return text.append(body);
}

/// Whether the client wants no more of this connection.
bool is_last(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  const bool old = head.find(" http/1.0\r\n") != std::string::npos;
  const bool kept = head.find("\r\nconnection: keep-alive") != std::string::npos;
  return (old && !kept) || head.find("\r\nconnection: close") != std::string::npos;
}

/// Requests, one after the other; of those with a body it would take the body for the next.
void serve(jumpcut::Stream& stream) {
  try {
    for (bool last = false; !last;) {
      const std::string head = stream.read_until(head_end);
      const bool get = head.starts_with("GET ");
      last = !get || is_last(head);
      stream.write(get ? response("200 OK", "Hello, world!", last)
                       : response("405 Method Not Allowed", "", last));
    }
  } catch (const jumpcut::IncompleteReadError&) {  // the client asks no more
  } catch (const jumpcut::LimitOverrunError&) {    // that is no request
  } catch (const std::system_error&) {             // the client has gone
  }
}

/// The answer's first line, without the version, and its body.
std::string ask(jumpcut::Stream& stream, std::string_view request) {
  stream.write(std::string(request) + " HTTP/1.1\r\nHost: localhost" + std::string(head_end));
  const std::string head = stream.read_until(head_end);
  const std::string status = head.substr(9, head.find('\r') - 9);
  const auto size = std::strtoul(head.c_str() + head.find("Length: ") + 8, nullptr, 10);
  return size == 0 ? status : status + ", " + stream.read_exactly(size);
}

}  // namespace

int main(int count, char** arguments) {
  const auto port = static_cast<std::uint16_t>(count > 1 ? std::atoi(arguments[1]) : 0);
  jumpcut::run([&] {
    jumpcut::Server server = jumpcut::start_server(serve, "127.0.0.1", port, {.backlog = 1024});
    const jumpcut::Address address = server.addresses().front();
    if (count > 1) {
      std::printf("http://%s/\n", address.to_string().c_str());
      std::fflush(stdout);
      server.serve_forever();
    }
    jumpcut::Stream stream = jumpcut::open_connection(address);
    for (const char* request : {"GET /", "GET /again", "DELETE /"}) {
      std::printf("%s : %s\n", request, ask(stream, request).c_str());
    }
  });
}
