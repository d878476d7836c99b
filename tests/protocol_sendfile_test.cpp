// Transport::sendfile(): a task has the socket for a while, and the protocol gets it back.

#include <jumpcut/jumpcut.hpp>

#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::Cancelled, jumpcut::create_connection, jumpcut::create_task;
using jumpcut::DescriptorClosed, jumpcut::run, jumpcut::Socket, jumpcut::Transport;
using namespace std::chrono_literals;

namespace {

struct Noted final : jumpcut::Protocol {
  void data_received(std::string_view data) override { received += data; }
  bool eof_received() override { return true; }
  void connection_lost(const std::exception_ptr&) override { lost = true; }

  std::string received;
  bool lost = false;
};

struct Closes {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

/// A file, and a transport whose peer is a socket.
struct Sending {
  Sending() {
    REQUIRE(std::fwrite(all.data(), 1, all.size(), file.get()) == all.size());
    std::fflush(file.get());
    auto [a, b] = Socket::pair();
    const int small = 4096;
    REQUIRE(setsockopt(a.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    peer = std::move(b);
    transport = create_connection([this] { return noted; }, std::move(a)).first;
  }
  auto send(std::uint64_t offset = 0, std::size_t most = 1'000'000'000) {
    return create_task(
        [this, offset, most] { return transport.sendfile(fileno(file.get()), offset, most); });
  }
  std::string receive(std::size_t size) {
    std::string text;
    while (text.size() < size) text += peer.recv(size - text.size());
    return text;
  }

  const std::string all = pattern(300'000);
  std::unique_ptr<std::FILE, Closes> file{std::tmpfile()};
  std::shared_ptr<Noted> noted = std::make_shared<Noted>();
  Transport transport;
  Socket peer;
};

/// Until nothing is ready any more but by the peer.
void settle() {
  for (int i = 0; i < 10; ++i) jumpcut::sleep(0s);
}

}  // namespace

TEST_CASE("sendfile sends a file behind what is unsent, and reads nothing meanwhile") {
  run([] {
    Sending one;
    const std::string before(100'000, 'b');
    one.transport.write(before);
    REQUIRE(one.transport.get_write_buffer_size() > 0);
    lseek(fileno(one.file.get()), 7, SEEK_SET);
    auto sender = one.send(1000, 200'000);
    one.peer.send("early");
    settle();
    CHECK_THROWS_WITH(one.transport.write("x"), Contains("sendfile() is not done"));
    CHECK_THROWS_WITH(await(one.send()), Contains("sendfile: another one"));
    CHECK(one.receive(before.size()) == before);
    settle();
    CHECK(one.noted->received.empty());
    CHECK_THROWS_WITH(one.transport.write("x"), Contains("sendfile() is not done"));
    CHECK(one.receive(200'000) == one.all.substr(1000, 200'000));
    CHECK(await(sender) == 200'000);
    CHECK(lseek(fileno(one.file.get()), 0, SEEK_CUR) == 7);
    one.transport.write("after");
    CHECK(one.receive(5) == "after");
    settle();
    CHECK(one.noted->received == "early");
    CHECK(await(one.send(one.all.size())) == 0);

    one.transport.pause_reading();
    sender = one.send(0, 10);
    CHECK(one.receive(10) == one.all.substr(0, 10));
    CHECK(await(sender) == 10);
    one.peer.send("later");
    settle();
    CHECK(one.noted->received == "early");
    sender = one.send(0, 300'000);
    settle();
    one.transport.resume_reading();  // as soon as that is done
    settle();
    CHECK(one.noted->received == "early");
    CHECK(one.receive(300'000) == one.all);
    CHECK(await(sender) == 300'000);
    settle();
    CHECK(one.noted->received == "earlylater");
    one.transport.close();
  });
}

TEST_CASE("sendfile that is cancelled gives the socket back; write_eof comes after it") {
  run([] {
    Sending one;
    auto sender = one.send();
    settle();
    sender.cancel();
    CHECK_THROWS_AS(await(sender), Cancelled);
    one.peer.send("more");
    settle();
    CHECK(one.noted->received == "more");
    std::string received = one.peer.recv(100'000);
    CHECK(one.all.starts_with(received));
    one.transport.write("end");
    settle();
    while (!received.ends_with("end")) received += one.peer.recv(100'000);
    CHECK(one.all.starts_with(std::string_view(received).substr(0, received.size() - 3)));

    sender = one.send(0, 100'000);
    settle();
    one.transport.write_eof();
    CHECK(receive_all(one.peer, 10'000) == one.all.substr(0, 100'000));
    CHECK(await(sender) == 100'000);
    CHECK_THROWS_WITH(await(one.send()), Contains("sendfile: it is after write_eof()"));
    one.transport.close();
  });
}

TEST_CASE("sendfile whose connection is lost says so, and touches nobody's descriptor after") {
  run([] {
    for (const bool unsent : {false, true}) {
      Sending one;
      if (unsent) one.transport.write(std::string(100'000, 'b'));
      auto sender = one.send();
      settle();
      const int number = one.transport.fd();
      one.transport.abort();
      while (!one.noted->lost) jumpcut::sleep(0s);
      auto [again, other] = Socket::pair();
      CHECK((again.fd() == number || other.fd() == number));
      CHECK_THROWS_AS(await(sender), DescriptorClosed);
      again.send("a"), other.send("b");
      CHECK(again.recv(10) + other.recv(10) == "ba");
      CHECK_THROWS_WITH(await(one.send()), Contains("sendfile: this transport is closed"));
    }
    Sending one;
    auto sender = one.send();
    settle();
    one.peer.close();
    const int error = error_of([&] { await(sender); });
    CHECK((error == EPIPE || error == ECONNRESET));
    one.transport.abort();

    auto [reader, writer] = jumpcut::make_pipe();
    const auto pipe =
        jumpcut::connect_write_pipe([] { return std::make_shared<Noted>(); }, std::move(writer));
    CHECK_THROWS_WITH(pipe.first.sendfile(0), Contains("sendfile: this transport is a pipe's"));
    pipe.first.close();
  });
}

TEST_CASE("the end of a transport is the end of a sendfile that goes on and on") {
  run([] {
    auto both = connection();
    auto noted = std::make_shared<Noted>();
    std::unique_ptr<std::FILE, Closes> file(std::tmpfile());
    REQUIRE(ftruncate(fileno(file.get()), off_t{1} << 40) == 0);
    const Transport transport =
        create_connection([=] { return noted; }, std::move(both.server)).first;
    auto sender = create_task([&] { return transport.sendfile(fileno(file.get())); });
    auto reader = create_task([&] {
      std::array<char, 65536> room;
      for (std::size_t all = 0; all < 5'000'000;) all += both.client.recv_into(room);
      transport.abort();
      while (both.client.recv_into(room) != 0) {
      }
    });
    CHECK_THROWS_AS(await(sender), DescriptorClosed);
    CHECK(error_of([&] { await(reader); }) != EBADF);
  });
}
