// jumpcut/server.hpp: who connects gets a task, until the server is closed.

#include <jumpcut/jumpcut.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "log.hpp"
#include "on_loop.hpp"
#include "sockets.hpp"

using Catch::Contains;
using jumpcut::Address, jumpcut::await, jumpcut::create_task, jumpcut::open_connection;
using jumpcut::run, jumpcut::Server, jumpcut::sleep, jumpcut::start_server, jumpcut::Stream;

namespace {

void echo(Stream& stream) {
  for (const std::string& line : stream) stream.write(line);
}

Stream connect_to(const Server& server) {
  return open_connection(server.addresses().front());
}

}  // namespace

TEST_CASE("a server serves each who connects in a task of its own") {
  run([] {
    for (const char* host : {"127.0.0.1", "::1"}) {
      Server server = start_server(echo, host, 0);
      REQUIRE(server.addresses().size() == 1);
      CHECK(server.addresses()[0].host() == host);
      std::vector<Stream> clients;
      for (int i = 0; i < 200; ++i) clients.push_back(connect_to(server));
      for (int i = 0; i < 200; ++i) {
        const auto number = static_cast<std::size_t>(i);
        clients[number].write(std::to_string(i) + "\n");
      }
      for (int i = 0; i < 200; ++i) {
        CHECK(clients[static_cast<std::size_t>(i)].read_line() == std::to_string(i) + "\n");
      }
      CHECK(server.connections() == 200);
      clients.clear();
      server.close();
      server.wait_closed();
      CHECK(server.connections() == 0);
    }
  });
}

TEST_CASE("without a host a server listens on all interfaces, by both families") {
  run([] {
    Server server = start_server(echo, "", 0);
    REQUIRE(server.addresses().size() == 2);
    for (const Address& address : server.addresses()) {
      Stream client = open_connection(
          address.family() == jumpcut::AddressFamily::ipv4 ? "127.0.0.1" : "::1", address.port());
      client.write("x\n");
      CHECK(client.read_line() == "x\n");
    }
  });
}

TEST_CASE("a server listens on all addresses of a name that are this machine's") {
  run([] {
    // A minimal system may not know its own name.
    Server server;
    try {
      server = start_server(echo, "localhost", 0);
    } catch (const jumpcut::LookupError&) {
      server = start_server(echo, "127.0.0.1", 0);
    }
    for (const Address& address : server.addresses()) {
      Stream client = open_connection(address);
      client.write("x\n");
      CHECK(client.read_line() == "x\n");
    }
    CHECK_THROWS_AS(start_server(echo, "no-such-name.invalid", 0), jumpcut::LookupError);
    CHECK(error_of([] { start_server(echo, "192.0.2.1", 0); }) == EADDRNOTAVAIL);
    const std::vector addresses{Address::ip("127.0.0.1", 0), Address::ip("192.0.2.1", 0)};
    CHECK(error_of([&] { start_server(echo, addresses); }) == EADDRNOTAVAIL);
  });
}

TEST_CASE("a Unix server replaces a stale socket, and removes its own") {
  char folder[] = "/tmp/jumpcut-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/socket";
  run([&] {
    {
      jumpcut::Socket stale(jumpcut::AddressFamily::local);
      stale.bind(Address::local(path));
    }
    Server server = jumpcut::start_unix_server(echo, path);
    Stream client = jumpcut::open_unix_connection(path);
    client.write("x\n");
    CHECK(client.read_line() == "x\n");
    Server other = jumpcut::start_unix_server(echo, path);
    server.close();
    CHECK(access(path.c_str(), F_OK) == 0);  // the other's
    other.close();
    CHECK(access(path.c_str(), F_OK) != 0);
  });
  CHECK(rmdir(folder) == 0);
}

TEST_CASE("a server that is closed listens no more, and its connections go on") {
  run([] {
    Server server = start_server(echo, "127.0.0.1", 0);
    const Address address = server.addresses().front();
    Stream client = connect_to(server);
    client.write("1\n");
    CHECK(client.read_line() == "1\n");
    server.close();
    CHECK(!server.is_serving());
    CHECK(server.addresses().empty());
    CHECK(error_of([&] { open_connection(address); }) == ECONNREFUSED);
    auto waiter = create_task([&] { server.wait_closed(); });
    client.write("2\n");
    CHECK(client.read_line() == "2\n");
    CHECK(!waiter.done());
    client.close();
    await(waiter);
  });
}

TEST_CASE("close_clients and abort_clients are the end of the stream for handlers that read") {
  run([] {
    for (const bool abort : {false, true}) {
      Log log;
      const auto handler = [&](Stream& stream) { log("read '" + stream.read(1) + "'"); };
      Server server = start_server(handler, "127.0.0.1", 0);
      Stream client = connect_to(server);
      while (server.connections() == 0) sleep(0s);
      sleep(0s);
      server.close();
      abort ? server.abort_clients() : server.close_clients();
      server.wait_closed();
      CHECK(log.text() == "read ''");
      CHECK(client.read().empty());
    }
  });
}

TEST_CASE("shutdown lets the handlers end by themselves") {
  on_loop([] {
    const auto begun = std::make_shared<bool>(false);
    const auto slow = [=](Stream& stream) {
      const std::string line = stream.read_line();
      *begun = true;
      sleep(3s);
      stream.write(line);
    };
    Server server = start_server(slow, "127.0.0.1", 0);
    const Address address = server.addresses().front();
    Stream client = connect_to(server);
    client.write("x\n");
    while (!*begun) sleep(0s);  // the clock is virtual, the network is not
    CHECK(server.shutdown(5s));
    CHECK(elapsed() == 3s);
    CHECK(client.read() == "x\n");
    CHECK(error_of([&] { open_connection(address); }) == ECONNREFUSED);
    CHECK(server.shutdown(5s));
    CHECK(elapsed() == 3s);
  });
}

TEST_CASE("shutdown cancels the handlers that are left after the grace, and waits for them") {
  Log log;
  on_loop([&] {
    const auto handler = [&](Stream& stream) {
      log.outcome("handler", [&] {
        try {
          stream.read(1);
        } catch (const jumpcut::Cancelled& cancelled) {
          log(cancelled.message());
          sleep(1s);
          CHECK_THROWS_AS(stream.write("x"), jumpcut::DescriptorClosed);
          throw;
        }
      });
    };
    Server server = start_server(handler, "127.0.0.1", 0);
    Stream client = connect_to(server);
    while (server.connections() == 0) sleep(0s);
    CHECK(!server.shutdown(5s));
    CHECK(elapsed() == 6s);
    CHECK(server.connections() == 0);
    CHECK(client.read().empty());
  });
  CHECK(log.text() == "the server is shut down handler-cancelled(the server is shut down)");
}

TEST_CASE("shutdown without a grace cancels who waits, and with an endless one nobody") {
  on_loop([] {
    for (const bool at_once : {true, false}) {
      Server server = start_server(echo, "127.0.0.1", 0);
      Stream client = connect_to(server);
      while (server.connections() == 0) sleep(0s);
      if (!at_once) client.write_eof();
      CHECK(server.shutdown(at_once ? std::optional(0s) : std::nullopt) != at_once);
      CHECK(server.connections() == 0);
    }
  });
}

TEST_CASE("a connection whose task is cancelled before it begins is over") {
  run([] {
    bool began = false;
    Server server = start_server([&](Stream&) { began = true; }, "127.0.0.1", 0);
    Stream client = connect_to(server);
    while (server.connections() == 0) sleep(0s);
    for (const auto& task : jumpcut::all_tasks()) {
      if (task.name() == "connection") task.cancel();
    }
    sleep(0s);
    CHECK(!began);
    CHECK(server.connections() == 0);
    CHECK(client.read().empty());
  });
}

TEST_CASE("a shutdown that is cancelled has no grace left") {
  on_loop([] {
    Server server = start_server(echo, "127.0.0.1", 0);
    Stream client = connect_to(server);
    client.write("x\n");
    CHECK(client.read_line() == "x\n");
    auto shutdown = create_task([&] { server.shutdown(1h); });
    sleep(2s);
    CHECK(server.connections() == 1);
    shutdown.cancel();
    CHECK_THROWS_AS(await(shutdown), jumpcut::Cancelled);
    CHECK(server.connections() == 0);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("a connection's own task can't wait for the server's end") {
  on_loop([] {
    Server server;
    Log log;
    const auto handler = [&](Stream&) {
      log.outcome("shutdown", [&] { server.shutdown(5s); });
      log.outcome("wait_closed", [&] { server.wait_closed(); });
    };
    server = start_server(handler, "127.0.0.1", 0);
    Stream client = connect_to(server);
    CHECK(client.read().empty());
    server.wait_closed();
    CHECK_THAT(log.text(), Contains("shutdown-shutdown: this task serves one of") &&
                               Contains("wait_closed-wait_closed: this task serves one of"));
  });
}

TEST_CASE("a connection is not over before all that its handler wrote is sent") {
  on_loop([] {
    constexpr std::size_t size = 16 << 20;
    jumpcut::ServerOptions options;
    options.stream.high_water = 2 * size;
    Server server =
        start_server([](Stream& stream) { stream.write(pattern(size)); }, "127.0.0.1", 0, options);
    Stream client = connect_to(server);
    while (server.connections() == 0) sleep(0s);
    auto waiter = create_task([&] { server.shutdown(std::nullopt); });
    sleep(2s);
    CHECK(server.connections() == 1);
    CHECK(client.read() == pattern(size));
    await(waiter);
    CHECK(server.connections() == 0);
  });
}

TEST_CASE("serve_forever returns when the server is closed; cancelled, it closes it and waits") {
  run([] {
    Server server = start_server(echo, "127.0.0.1", 0);
    auto serving = create_task([&] { server.serve_forever(); });
    sleep(0s);
    server.close();
    await(serving);
    CHECK_THROWS_AS(server.serve_forever(), jumpcut::RuntimeError);

    server = start_server(echo, "127.0.0.1", 0);
    Stream client = connect_to(server);
    client.write("x\n");
    CHECK(client.read_line() == "x\n");
    auto cancelled = create_task([&] { server.serve_forever(); });
    sleep(0s);
    cancelled.cancel();
    sleep(0s), sleep(0s);
    CHECK(!server.is_serving());
    CHECK(!cancelled.done());
    client.close();
    CHECK_THROWS_AS(await(cancelled), jumpcut::Cancelled);
    CHECK(server.connections() == 0);
  });
}

TEST_CASE("what a handler throws goes to the exception handler, and the server goes on") {
  run([] {
    std::vector<std::string> reports;
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext& context) { reports.push_back(context.describe()); });
    Server server = start_server(
        [](Stream& stream) {
          if (stream.read_line() == "throw\n") throw std::runtime_error("the handler's own");
          stream.write("served\n");
        },
        "127.0.0.1", 0);
    Stream first = connect_to(server);
    first.write("throw\n");
    CHECK(first.read().empty());
    Stream second = connect_to(server);
    second.write("\n");
    CHECK(second.read() == "served\n");
    REQUIRE(reports.size() == 1);
    CHECK_THAT(reports[0], Contains("unhandled exception in a connection's handler") &&
                               Contains("the handler's own"));
  });
}

TEST_CASE("a connection whose task ends before it began is closed, and nobody waits for it") {
  run([] {
    Server server = start_server(echo, "127.0.0.1", 0);
    Stream client = connect_to(server);
    while (server.connections() == 0) sleep(0s);
    for (const jumpcut::AnyTask& task : jumpcut::all_tasks()) {
      if (task.name() == "connection") task.cancel();
    }
    CHECK(client.read().empty());
    server.close();
    server.wait_closed();
    CHECK(server.connections() == 0);
  });
}

TEST_CASE("servers may share a port if they say so") {
  run([] {
    jumpcut::ServerOptions options;
    options.reuse_port = true;
    Server first = start_server(echo, "127.0.0.1", 0, options);
    const Address address = first.addresses().front();
    Server second = start_server(echo, {address}, options);
    CHECK(second.addresses().front() == address);
    CHECK(error_of([&] { start_server(echo, {address}); }) == EADDRINUSE);
  });
}

TEST_CASE("a server can't be started outside a task, nor without a handler or an address") {
  CHECK_THROWS_AS(start_server(echo, "127.0.0.1", 0), jumpcut::RuntimeError);
  run([] {
    CHECK_THROWS_AS(start_server(nullptr, "127.0.0.1", 0), jumpcut::ValueError);
    CHECK_THROWS_AS(start_server(echo, std::vector<Address>()), jumpcut::ValueError);
    CHECK_THROWS_AS(start_server(nullptr, "localhost", 0), jumpcut::ValueError);
    Server none;
    none.close();
    none.wait_closed();
    none.close_clients();
    CHECK(none.shutdown(1s));
    CHECK(!none.is_serving());
  });
}

TEST_CASE("a server and its connections end with the loop") {
  Log log;
  Stream client;  // outlives it
  Server server;
  run([&] {
    server = start_server([&](Stream& stream) { log.outcome("handler", [&] { stream.read(1); }); },
                          "127.0.0.1", 0);
    client = connect_to(server);
    while (server.connections() == 0) sleep(0s);
    sleep(0s);
  });
  CHECK(log.text() == "handler-cancelled");
  CHECK(server.connections() == 0);
}
