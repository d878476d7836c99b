// jumpcut/socket.hpp: what sockets of every kind carry, and when a task waits for it.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "log.hpp"
#include "sockets.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::Address, jumpcut::AddressFamily, jumpcut::await, jumpcut::Cancelled;
using jumpcut::create_task, jumpcut::Descriptor, jumpcut::run, jumpcut::sleep, jumpcut::Socket;
using jumpcut::SocketType;

namespace {

/// Calls of epoll_ctl.
int registrations = 0;

}  // namespace

/// In the place of the C library's, to count them.
extern "C" int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  ++registrations;
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, what, fd, event));
}

TEST_CASE("what is there is received without a switch") {
  run([] {
    auto [a, b] = Socket::pair();
    bool other_ran = false;
    auto other = create_task([&] { other_ran = true; });
    CHECK(a.send("hello") == 5);
    CHECK(b.recv(100) == "hello");
    b.sendall("back");
    std::array<char, 2> two{};
    CHECK(a.recv_into(two) == 2);
    CHECK(std::string_view(two.data(), 2) == "ba");
    CHECK(a.recv(100) == "ck");
    CHECK(!other_ran);
    CHECK(watched() == 0);  // nobody had to wait
    await(other);
  });
}

TEST_CASE("recv waits until something comes, and is empty once the peer sends no more") {
  run([] {
    auto [a, b] = Socket::pair();
    Log log;
    auto reader = create_task([&, &b = b] {
      for (std::string text; !(text = b.recv(100)).empty();) log("got " + text);
      log("end");
      CHECK(b.recv(100).empty());
    });
    sleep(0s);
    log("send"), a.send("1");
    sleep(0s), sleep(0s);
    log("send"), a.send("2");
    sleep(0s), sleep(0s);
    a.close();
    await(reader);
    CHECK(log.text() == "send got 1 send got 2 end");
  });
}

TEST_CASE("a stream and its peer talk, whatever they are made of") {
  run([] {
    const auto talk = [](Socket& a, Socket& b) {
      auto echo = create_task([&] {
        for (int i = 0; i < 100; ++i) b.sendall(b.recv(1000));
      });
      for (int i = 0; i < 100; ++i) {
        a.sendall("ping " + std::to_string(i));
        CHECK(a.recv(1000) == "ping " + std::to_string(i));
      }
      await(echo);
    };
    for (const char* host : {"127.0.0.1", "::1"}) {
      Connection tcp = connection(host);
      CHECK(tcp.client.getpeername() == tcp.server.getsockname());
      CHECK(tcp.server.getpeername() == tcp.client.getsockname());
      talk(tcp.client, tcp.server);
    }
    auto [a, b] = Socket::pair();
    talk(a, b);
    auto [c, d] = Socket::pair(SocketType::seqpacket);
    talk(c, d);
  });
}

TEST_CASE("a request over a socket that is registered costs no epoll_ctl") {
  run([] {
    Connection tcp = connection();
    auto echo = create_task([&] {
      for (int i = 0; i < 1000; ++i) tcp.server.send(tcp.server.recv(10));
    });
    for (int i = 0; i < 1000; ++i) {
      if (i == 1) registrations = 0;
      tcp.client.send("x");
      tcp.client.recv(10);
    }
    await(echo);
    CHECK(registrations == 0);
    CHECK(watched() == 2);
    tcp.client.close();
    CHECK(watched() == 1);
  });
}

TEST_CASE("datagrams keep their bounds and say who sent them") {
  run([] {
    for (const char* host : {"127.0.0.1", "::1"}) {
      const Address any = Address::ip(host, 0);
      Socket a(any.family(), SocketType::datagram);
      Socket b(any.family(), SocketType::datagram);
      a.bind(any), b.bind(any);
      auto receiver = create_task([&] {
        std::vector<std::string> all;
        for (int i = 0; i < 3; ++i) {
          auto [text, from] = b.recvfrom(100);
          CHECK(from == a.getsockname());
          all.push_back(text);
        }
        return all;
      });
      sleep(0s);
      CHECK(a.sendto("one", b.getsockname()) == 3);
      CHECK(a.sendto("", b.getsockname()) == 0);
      a.connect(b.getsockname());
      CHECK(a.send("three") == 5);
      CHECK(await(receiver) == std::vector<std::string>{"one", "", "three"});
      std::array<char, 2> small{};
      a.send("cut");
      CHECK(b.recvfrom_into(small).first == 2);
    }
  });
}

TEST_CASE("Unix datagrams wait for room in the receiver's queue") {
  run([] {
    auto [a, b] = Socket::pair(SocketType::datagram);
    int sent = 0;
    constexpr int all = 2000;  // far more than a queue takes
    auto sender = create_task([&, &a = a] {
      for (; sent < all; ++sent) a.send(std::to_string(sent));
    });
    sleep(0s);
    CHECK(sent < all);
    for (int i = 0; i < all; ++i) REQUIRE(b.recv(100) == std::to_string(i));
    await(sender);
  });
}

TEST_CASE("sendall sends all, however slowly the peer reads") {
  run([] {
    Connection tcp = connection();
    const std::string all = pattern(20'000'000);
    auto sender = create_task([&] { tcp.client.sendall(all), tcp.client.close(); });
    const std::string received = receive_all(tcp.server, 100'000);
    await(sender);
    CHECK((received == all));
  });
}

TEST_CASE("sendfile sends a file from a place on, or a part, and leaves its position alone") {
  std::FILE* file = std::tmpfile();
  const std::string all = pattern(5'000'000);
  REQUIRE(std::fwrite(all.data(), 1, all.size(), file) == all.size());
  REQUIRE(std::fflush(file) == 0);
  const off_t position = lseek(fileno(file), 0, SEEK_CUR);
  run([&] {
    Connection tcp = connection();
    auto sender = create_task([&] {
      CHECK(tcp.client.sendfile(fileno(file), 1000) == all.size() - 1000);
      CHECK(tcp.client.sendfile(fileno(file), 10, 20) == 20);
      CHECK(tcp.client.sendfile(fileno(file), all.size()) == 0);
      tcp.client.close();
    });
    const std::string received = receive_all(tcp.server, 100'000);
    await(sender);
    CHECK((received == all.substr(1000) + all.substr(10, 20)));
  });
  CHECK(lseek(fileno(file), 0, SEEK_CUR) == position);
  std::fclose(file);
}

TEST_CASE("readv and writev take several buffers at once, also very many") {
  run([] {
    auto [a, b] = Socket::pair();
    const std::array<std::string_view, 3> parts{"one", "", "two"};
    CHECK(a.writev(parts) == 6);
    std::array<char, 4> first{};
    std::array<char, 4> second{};
    const std::array<std::span<char>, 2> room{first, second};
    CHECK(b.readv(room) == 6);
    CHECK(std::string_view(first.data(), 4) == "onet");
    CHECK(std::string_view(second.data(), 2) == "wo");
    const std::vector<std::string_view> many(3000, "x");
    CHECK(a.writev(many) == 1024);  // as many as the system takes
    CHECK(b.recv(5000) == std::string(1024, 'x'));
    std::vector<std::span<char>> places;
    std::string text(100, '-');
    for (char& place : text) places.emplace_back(&place, 1);
    a.send("0123456789");
    CHECK(b.readv(places) == 10);
    CHECK(text.substr(0, 11) == "0123456789-");
  });
}

TEST_CASE("a pipe's ends wait for what is written, and for room") {
  run([] {
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    const std::string all = pattern(1'000'000);
    auto writer = create_task([&] { pipe.writer.write_all(all), pipe.writer.close(); });
    const std::string received = receive_all(pipe.reader, 100'000);
    await(writer);
    CHECK((received == all));
    CHECK(pipe.reader.read(10).empty());
  });
}

TEST_CASE("a receive that is cancelled or timed out loses nothing") {
  run([] {
    auto [a, b] = Socket::pair();
    auto gone = create_task([&, &b = b] { b.recv(100); });
    sleep(0s);
    gone.cancel();
    a.send("first");  // both in one turn
    CHECK_THROWS_AS(await(gone), Cancelled);
    CHECK(b.recv(100) == "first");
    CHECK_THROWS_AS(jumpcut::timeout(1ns, [&, &b = b] { b.recv(100); }), jumpcut::TimeoutError);
    a.send("second");
    CHECK(b.recv(100) == "second");
  });
}

TEST_CASE("several tasks may receive from one socket, and each thing sent goes to one of them") {
  run([] {
    auto [a, b] = Socket::pair(SocketType::datagram);
    int received = 0;
    std::vector<jumpcut::Task<>> tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.push_back(create_task([&, &b = b] {
        while (b.recv(10) == "x") ++received;
      }));
    }
    sleep(0s);
    for (int i = 0; i < 100; ++i) a.send("x"), sleep(0s);
    for (int i = 0; i < 5; ++i) a.send("end");
    for (auto& task : tasks) await(task);
    CHECK(received == 100);
  });
}

TEST_CASE("tasks may send and receive on one socket at once") {
  run([] {
    Connection tcp = connection();
    const std::string all = pattern(3'000'000);
    const auto both = [&](Socket& socket) {
      auto sender = create_task([&] { socket.sendall(all); });
      std::string received;
      while (received.size() < all.size()) received += socket.recv(100'000);
      await(sender);
      return received == all;
    };
    auto other = create_task([&] { return both(tcp.client); });
    CHECK(both(tcp.server));
    CHECK(await(other));
  });
}

TEST_CASE("wait_readable and wait_writable go with a socket that is registered") {
  run([] {
    auto [a, b] = Socket::pair();
    auto reader = create_task([&, &b = b] { return b.recv(1); });
    sleep(0s);
    a.send("ab");
    CHECK(await(reader) == "a");
    jumpcut::wait_readable(b.fd());  // what was told already is still so
    CHECK(b.recv(10) == "b");
    auto waiter = create_task([&, &b = b] { jumpcut::wait_readable(b.fd()); });
    sleep(0s);
    CHECK(!waiter.done());
    a.send("c");
    await(waiter);
    jumpcut::wait_writable(b.fd());
    CHECK(watched() == 1);
  });
}

TEST_CASE("a socket that nobody waits for hides no deadlock") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  CHECK_THROWS_AS(run([] {
                    auto [a, b] = Socket::pair();
                    auto reader = create_task([&, &b = b] { return b.recv(1); });
                    sleep(0s);
                    a.send("a");
                    await(reader);
                    await(jumpcut::Future<>());
                  }),
                  jumpcut::Deadlock);
}

TEST_CASE("a socket that is moved stays what it is, also for who waits in it") {
  run([] {
    auto [a, b] = Socket::pair();
    auto reader = create_task([&, &b = b] { return b.recv(10); });
    sleep(0s);
    Socket moved(std::move(b));
    CHECK(!b.is_open());
    const int number = moved.fd();
    Socket other = Socket::pair().first;
    other = std::move(moved);
    CHECK(other.fd() == number);
    CHECK(!moved.is_open());
    a.send("x");
    CHECK(await(reader) == "x");
  });
}

TEST_CASE("an adopted socket is as one's own, and a released one is the caller's again") {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  run([&] {
    Socket a = Socket::adopt(ends[0]);
    Descriptor b = Descriptor::adopt(ends[1]);
    auto reader = create_task([&] { return a.recv(10); });
    sleep(0s);
    CHECK(b.write("x") == 1);
    CHECK(await(reader) == "x");
    CHECK(a.release() == ends[0]);
    CHECK(!a.is_open());
    CHECK(a.release() == -1);
  });
  CHECK(close(ends[0]) == 0);   // open until now
  CHECK(close(ends[1]) == -1);  // closed by its owner
}

TEST_CASE("options of a socket are the system's") {
  run([] {
    Socket socket(AddressFamily::ipv6);
    socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    CHECK(socket.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY) == 1);
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    socket.bind(Address::ip("::", 0));
    CHECK(socket.getsockname().port() != 0);
    CHECK(socket.getsockopt(SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
  });
}
