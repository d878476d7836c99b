// jumpcut/protocol.hpp: what a datagram protocol is told, in the order in which CPython's
// transports tell it.

#include <jumpcut/jumpcut.hpp>

#include "log.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <catch2/catch.hpp>

using jumpcut::Address, jumpcut::await, jumpcut::create_datagram_endpoint;
using jumpcut::DatagramTransport, jumpcut::Future, jumpcut::run, jumpcut::Socket;

namespace {

class NotedDatagrams : public jumpcut::DatagramProtocol {
 public:
  NotedDatagrams(Log& log, std::string name) : log_(log), name_(std::move(name)) {}

  void connection_made(const DatagramTransport& made) override {
    transport = made;
    log_(name_ + "-made");
  }
  void datagram_received(std::string_view data, const Address& from) override {
    sender = from;
    log_(name_ + "-datagram(" + std::string(data) + ")");
    came.set_result();
    came = Future<>();
  }
  void error_received(const std::exception_ptr& error) override {
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& system) {
      log_(name_ + "-error(" + std::to_string(system.code().value()) + ")");
    }
    came.set_result();
    came = Future<>();
  }
  void connection_lost(const std::exception_ptr& error) override {
    log_(name_ + (error == nullptr ? "-lost()" : "-lost(error)"));
    lost.set_result();
  }

  DatagramTransport transport;
  Address sender;
  Future<> came;
  Future<> lost;

 private:
  Log& log_;
  std::string name_;
};

}  // namespace

TEST_CASE("a datagram endpoint is told what comes, from whom, and what fails") {
  run([] {
    Log log;
    const auto make = [&](const char* name) {
      return [&log, name] { return std::make_shared<NotedDatagrams>(log, name); };
    };
    const auto [to_b, b] =
        create_datagram_endpoint(make("b"), {.local = Address::ip("127.0.0.1", 0)});
    const auto [to_a, a] = create_datagram_endpoint(make("a"), {.remote = to_b.getsockname()});
    Future<> came = b->came;
    to_a.sendto("1");
    await(came);
    CHECK(b->sender == to_a.getsockname());
    came = b->came;
    to_a.sendto("2", to_b.getsockname());
    await(came);
    came = a->came;
    to_b.sendto("back", b->sender);
    await(came);
    CHECK_THROWS_AS(to_a.sendto("x", Address::ip("127.0.0.1", 1)), jumpcut::ValueError);
    to_b.close();
    await(b->lost);
    came = a->came;
    to_a.sendto("3");
    await(came);
    to_a.close();
    await(a->lost);
    CHECK(log.text() ==
          "b-made a-made b-datagram(1) b-datagram(2) a-datagram(back) b-lost() a-error(" +
              std::to_string(ECONNREFUSED) + ") a-lost()");
    CHECK_THROWS_AS(create_datagram_endpoint(make("c"), {}), jumpcut::ValueError);
  });
}

TEST_CASE("datagrams that find no room are sent later, in their order") {
  std::string folder = "/tmp/jumpcut-protocol-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/socket";
  constexpr int count = 3000;
  run([&] {
    Log log;
    Socket receiver(jumpcut::AddressFamily::local, jumpcut::SocketType::datagram);
    receiver.bind(Address::local(path));
    const auto [transport, protocol] =
        create_datagram_endpoint([&] { return std::make_shared<NotedDatagrams>(log, "a"); },
                                 {.remote = Address::local(path)});
    for (int i = 0; i < count; ++i) transport.sendto(std::to_string(i));
    CHECK(transport.get_write_buffer_size() > 0);
    transport.close();
    for (int i = 0; i < count; ++i) REQUIRE(receiver.recv(100) == std::to_string(i));
    await(protocol->lost);
    CHECK(transport.get_write_buffer_size() == 0);
    CHECK(log.text() == "a-made a-lost()");
  });
  unlink(path.c_str());
  rmdir(folder.c_str());
}
