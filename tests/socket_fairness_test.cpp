// jumpcut/socket.hpp: a task whose operations never have to wait lets others have their turn.

#include <jumpcut/jumpcut.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "on_loop.hpp"
#include "sockets.hpp"

using jumpcut::await, jumpcut::create_task, jumpcut::run, jumpcut::Socket;

namespace {

/// How many calls a task makes before another has its turn.
int calls_before_others(const std::function<void()>& call) {
  bool other_ran = false;
  auto other = create_task([&] { other_ran = true; });
  int calls = 0;
  for (; !other_ran && calls < 10'000; ++calls) call();
  await(other);
  return calls;
}

}  // namespace

TEST_CASE("a task that always finds what it asks for lets others have a turn after many calls") {
  run([] {
    auto [a, b] = Socket::pair(jumpcut::SocketType::datagram);
    const auto is_fair = [](int calls) { return calls > 10 && calls < 1000; };
    CHECK(is_fair(calls_before_others([&, &a = a, &b = b] { a.send("x"), b.recv(10); })));
    CHECK(is_fair(calls_before_others([&, &b = b] { jumpcut::wait_writable(b.fd()); })));
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    CHECK(is_fair(calls_before_others([&] { pipe.writer.write_all("x"), pipe.reader.read(1); })));
  });
}

TEST_CASE("a flooded socket keeps no timer from running, nor another socket from being read") {
  run([] {
    auto [a, b] = Socket::pair();
    auto [quiet, other_end] = Socket::pair();
    bool stop = false;
    auto flood = create_task([&, &a = a, &b = b] {
      const std::string text(1000, 'x');
      while (!stop) {
        a.sendall(text);
        b.recv(1000);
      }
    });
    auto reader = create_task([&, &quiet = quiet] { return quiet.recv(10); });
    jumpcut::sleep(1ms);
    other_end.send("x");
    CHECK(await(reader) == "x");
    stop = true;
    await(flood);
  });
}

TEST_CASE("a cancellation reaches a task that never waits, and what it received is not lost") {
  run([] {
    auto [a, b] = Socket::pair(jumpcut::SocketType::datagram);
    int sent = 0;
    int received = 0;
    auto flood = create_task([&, &a = a, &b = b] {
      for (;;) {
        a.send(std::to_string(sent)), ++sent;
        b.recv(10), ++received;
      }
    });
    jumpcut::sleep(0s);
    flood.cancel();
    CHECK_THROWS_AS(await(flood), jumpcut::Cancelled);
    for (; received < sent; ++received) CHECK(b.recv(10) == std::to_string(received));
    CHECK(received == sent);
  });
}

TEST_CASE("a socket may be closed while a task that uses it lets others have a turn") {
  run([] {
    auto [a, b] = Socket::pair(jumpcut::SocketType::datagram);
    auto flood = create_task([&, &a = a, &b = b] {
      for (;;) a.send("x"), b.recv(10);
    });
    jumpcut::sleep(0s);
    a.close(), b.close();
    CHECK_THROWS_AS(await(flood), jumpcut::DescriptorClosed);
  });
}
