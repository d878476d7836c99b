// jumpcut/pool_server.hpp: one port, served by all loops of a pool.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "sockets.hpp"

using Catch::Contains;
using jumpcut::Address, jumpcut::LoopPool, jumpcut::LoopPoolOptions, jumpcut::open_connection;
using jumpcut::PoolServer, jumpcut::run, jumpcut::sleep, jumpcut::start_server, jumpcut::Stream;
using namespace std::chrono_literals;

namespace {

LoopPoolOptions loops(std::size_t count) {
  LoopPoolOptions options;
  options.loops = count;
  return options;
}

void echo(Stream& stream) {
  for (const std::string& line : stream) stream.write(line);
}

std::string ask(Stream& stream, const std::string& line) {
  stream.write(line + "\n");
  return stream.read_line();
}

}  // namespace

TEST_CASE("all loops of a pool serve one port, and a connection stays where it was accepted") {
  LoopPool pool(loops(2));
  const auto tell_loop = [&pool](Stream& stream) {
    for (const std::string& line : stream) {
      stream.write(std::to_string(*pool.current()) + line);
    }
  };
  const PoolServer server = start_server(pool, tell_loop, "127.0.0.1", 0);
  REQUIRE(server.addresses().size() == 1);
  const Address address = server.addresses().front();
  CHECK(address.port() != 0);
  run([&] {
    constexpr std::size_t count = 200;
    std::vector<Stream> clients;
    std::array<std::size_t, 2> served{};
    std::vector<std::string> answers;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(open_connection(address));
      answers.push_back(ask(clients.back(), ""));
      ++served.at(answers.back() == "0\n" ? 0 : 1);
    }
    // The system places each by a hash: that one gets less than a fifth is less likely than 1e-17.
    CHECK(*std::min_element(served.begin(), served.end()) > count / 5);
    CHECK(server.connections() == std::vector(served.begin(), served.end()));
    const auto stats = pool.stats();
    for (const std::size_t loop : {std::size_t{0}, std::size_t{1}}) {
      CHECK(stats[loop].live == served.at(loop));
      CHECK(stats[loop].placed == served.at(loop));
    }
    for (std::size_t i = 0; i < count; ++i) CHECK(ask(clients[i], "") == answers[i]);
  });
}

TEST_CASE("each loop has a handler of its own") {
  LoopPool pool(loops(2));
  const auto count = [&pool, served = 0](Stream& stream) mutable {
    stream.write(std::to_string(*pool.current()) + std::to_string(++served) + "\n");
  };
  const PoolServer server = start_server(pool, count, "", 0);
  run([&] {
    std::array<int, 2> served{};
    for (int i = 0; i < 40; ++i) {
      Stream client = open_connection("127.0.0.1", server.addresses().front().port());
      const std::string line = client.read_line();
      const int on_loop = ++served.at(line[0] == '0' ? 0 : 1);
      CHECK(line.substr(1) == std::to_string(on_loop) + "\n");
    }
  });
}

TEST_CASE("a pool that stops closes its listeners first, and lets connections end") {
  LoopPool pool(loops(2));
  const PoolServer server = start_server(pool, echo, "127.0.0.1", 0);
  const Address address = server.addresses().front();
  run([&] {
    std::vector<Stream> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(open_connection(address));
      CHECK(ask(clients.back(), "x") == "x\n");
    }
    auto stopping = jumpcut::create_task([&] { return pool.stop(std::nullopt); });
    while (error_of([&] { open_connection(address); }) == 0) sleep(1ms);
    for (Stream& client : clients) CHECK(ask(client, "y") == "y\n");
    CHECK(!stopping.done());
    clients.clear();
    CHECK(jumpcut::await(stopping));
  });
}

TEST_CASE("connections that outlast the grace are ended with the pool") {
  LoopPool pool(loops(2));
  const PoolServer server = start_server(pool, echo, "127.0.0.1", 0);
  run([&] {
    std::vector<Stream> clients;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(open_connection(server.addresses().front()));
      CHECK(ask(clients.back(), "x") == "x\n");
    }
    CHECK(!pool.stop(1ms));
    for (Stream& client : clients) CHECK(client.read().empty());
  });
  CHECK(server.connections().empty());
}

TEST_CASE("a server of a pool can be closed and shut down by itself, from any thread") {
  LoopPool pool(loops(2));
  PoolServer server = start_server(pool, echo, "127.0.0.1", 0);
  const Address address = server.addresses().front();
  run([&] {
    Stream client = open_connection(address);
    CHECK(ask(client, "x") == "x\n");
    server.close();
    CHECK(error_of([&] { open_connection(address); }) == ECONNREFUSED);
    CHECK(ask(client, "y") == "y\n");
    CHECK(!server.shutdown(1ms));
    CHECK(client.read().empty());
  });
  CHECK(server.shutdown(std::nullopt));

  auto other = std::make_unique<PoolServer>(
      pool.submit([&] { return start_server(pool, echo, "127.0.0.1", 0); }).get());
  const Address there = other->addresses().front();
  run([&] {
    Stream client = open_connection(there);
    CHECK(ask(client, "x") == "x\n");
    other.reset();
    while (error_of([&] { open_connection(there); }) == 0) sleep(1ms);
    CHECK(ask(client, "y") == "y\n");
  });
  CHECK(pool.stop(std::nullopt));
  CHECK_THROWS_AS(start_server(pool, echo, "127.0.0.1", 0), jumpcut::RuntimeError);
}

TEST_CASE("where a pool can't listen, it listens nowhere") {
  LoopPool pool(loops(2));
  CHECK_THROWS_AS(start_server(pool, nullptr, "127.0.0.1", 0), jumpcut::ValueError);
  CHECK_THROWS_AS(start_server(pool, echo, std::vector{Address::local("/tmp/x")}),
                  jumpcut::ValueError);
  CHECK_THROWS_AS(start_server(pool, echo, std::vector<Address>()), jumpcut::ValueError);
  run([&] {
    const jumpcut::Socket taken = listener();
    CHECK(error_of([&] {
            PoolServer none = start_server(pool, echo, std::vector{taken.getsockname()});
          }) == EADDRINUSE);
  });
  PoolServer none;
  none.close();
  CHECK(none.shutdown(0s));
  CHECK(none.addresses().empty());
  CHECK(none.connections().empty());
}

TEST_CASE("what a handler throws is reported by its loop, and the others go on") {
  std::atomic<int> reports{0};
  LoopPoolOptions options = loops(2);
  options.exception_handler = [&](const jumpcut::ErrorContext&) { ++reports; };
  LoopPool pool(options);
  const PoolServer server = start_server(
      pool, [](Stream&) { throw std::runtime_error("no"); }, "127.0.0.1", 0);
  run([&] {
    for (int i = 0; i < 10; ++i) {
      CHECK(open_connection(server.addresses().front()).read().empty());
    }
  });
  CHECK(pool.stop(std::nullopt));
  CHECK(reports == 10);
}
