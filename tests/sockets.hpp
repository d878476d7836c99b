// What tests of sockets share.

#pragma once

#include <jumpcut/loop.hpp>
#include <jumpcut/socket.hpp>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

/// Descriptors that the loop watches, and sockets that it knows.
inline std::size_t watched() {
  return jumpcut::get_running_loop().stats().io;
}

/// Listens on a port that the system chooses.
inline jumpcut::Socket listener(const std::string& host = "127.0.0.1") {
  const auto address = jumpcut::Address::ip(host, 0);
  jumpcut::Socket socket(address.family());
  socket.bind(address);
  socket.listen();
  return socket;
}

struct Connection {
  jumpcut::Socket client;
  jumpcut::Socket server;
};

/// Both ends of a connection.
inline Connection connection(const std::string& host = "127.0.0.1") {
  jumpcut::Socket listening = listener(host);
  jumpcut::Socket client(listening.getsockname().family());
  client.connect(listening.getsockname());  // the queue takes it
  return {std::move(client), listening.accept().first};
}

/// The error's number, and its text in `text`; 0 if there is none.
template <class Function>
int error_of(Function function, std::string* text = nullptr) {
  try {
    function();
  } catch (const std::system_error& error) {
    if (text != nullptr) *text = error.what();
    return error.code().value();
  }
  return 0;
}

/// All that comes until the peer sends no more, read by parts of so much at most.
inline std::string receive_all(jumpcut::Descriptor& from, std::size_t most) {
  std::string received;
  for (std::string part; !(part = from.read(most)).empty();) received += part;
  return received;
}

/// No two bytes in a row are what the next two are.
inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + i / 251) & 0x7f);
  return text;
}
