// The server as one writes it with Asio's callbacks.

#include "io_servers.hpp"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <asio.hpp>

namespace {

using asio::ip::tcp;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Protocol protocol)
      : socket_(std::move(socket)), protocol_(protocol) {
    socket_.set_option(tcp::no_delay(true));
  }

  void receive() {
    socket_.async_read_some(asio::buffer(room_),
                            [self = shared_from_this()](std::error_code error, std::size_t size) {
                              if (!error) self->answer(size);
                            });
  }

 private:
  void answer(std::size_t size) {
    std::string_view data(room_.data(), size);
    if (protocol_ == Protocol::echo) return send(data);
    if (!incoming_.empty()) data = incoming_.append(data);
    const std::size_t count = take_requests(data);
    incoming_ = std::string(data);
    if (count == 0) return receive();
    if (count == 1) return send(http_hello);
    outgoing_.clear();
    for (std::size_t i = 0; i < count; ++i) outgoing_ += http_hello;
    send(outgoing_);
  }

  void send(std::string_view data) {
    asio::async_write(socket_, asio::buffer(data),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->receive();
                      });
  }

  tcp::socket socket_;
  const Protocol protocol_;
  std::array<char, 4096> room_;
  std::string incoming_;
  std::string outgoing_;
};

void accept_all(tcp::acceptor& acceptor, Protocol protocol) {
  acceptor.async_accept([&acceptor, protocol](std::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Connection>(std::move(socket), protocol)->receive();
    accept_all(acceptor, protocol);
  });
}

void serve(Protocol protocol) {
  asio::io_context loop(1);  // one thread runs it
  tcp::acceptor acceptor(loop, tcp::v4(), listen_and_announce());
  accept_all(acceptor, protocol);
  loop.run();
}

const ServerLoop loop("asio", serve);

}  // namespace
