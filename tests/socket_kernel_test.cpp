// jumpcut/socket.hpp: what the system does to sockets, closed and reused numbers, copies, forks,
// resets and signals, and what a task sees of it.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "log.hpp"
#include "signal_storm.hpp"
#include "sockets.hpp"

using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::DescriptorClosed, jumpcut::run;
using jumpcut::sleep, jumpcut::Socket;
using namespace std::chrono_literals;

namespace {

/// Discards what is unsent: the peer sees a reset.
void reset(Socket& socket) {
  const linger none{1, 0};
  REQUIRE(setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
  socket.close();
}

int sigpipes = 0;

/// While it lives, SIGPIPE is counted.
class CountsSigpipe {
 public:
  CountsSigpipe() {
    sigpipes = 0;
    struct sigaction count {};
    count.sa_handler = [](int) { ++sigpipes; };
    sigaction(SIGPIPE, &count, &before_);
  }
  CountsSigpipe(const CountsSigpipe&) = delete;
  CountsSigpipe& operator=(const CountsSigpipe&) = delete;
  ~CountsSigpipe() { sigaction(SIGPIPE, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

}  // namespace

TEST_CASE("a socket that is closed ends what tasks wait for in it, and its number is another's") {
  run([] {
    auto [a, b] = Socket::pair();
    Log log;
    const int number = b.fd();
    auto first =
        create_task([&, &b = b] { log.outcome("first", [&] { return b.recv(10).size(); }); });
    auto second = create_task(
        [&, &b = b] { log.outcome("second", [&] { jumpcut::wait_readable(b.fd()); }); });
    sleep(0s);
    b.close();
    auto [c, d] = Socket::pair();
    REQUIRE(c.fd() == number);
    auto third = create_task([&, &c = c] { return c.recv(10); });
    await(first), await(second);
    const std::string name = std::to_string(number);
    CHECK_THAT(log.text(), Contains("first-recv on descriptor " + name + ", which is closed") &&
                               Contains("second-wait_readable on descriptor " + name));
    d.send("x");
    CHECK(await(third) == "x");
    CHECK_THROWS_AS(b.recv(10), DescriptorClosed);
  });
}

TEST_CASE("a socket may be destroyed while tasks use it") {
  run([] {
    auto [a, b] = Socket::pair();
    auto owned = std::make_unique<Socket>(std::move(b));
    auto receiver = create_task([&] { owned->recv(10); });
    auto sender = create_task([&] { owned->sendall(std::string(10'000'000, 'x')); });
    sleep(0s);
    owned.reset();
    CHECK_THROWS_AS(await(receiver), DescriptorClosed);
    CHECK_THROWS_AS(await(sender), DescriptorClosed);
    CHECK(watched() == 0);
  });
}

TEST_CASE("closing by a task that was woken with others ends their operations too") {
  run([] {
    auto [a, b] = Socket::pair();
    Log log;
    const auto receiver = [&, &b = b] { log.outcome("recv", [&] { b.recv(10), b.close(); }); };
    auto first = create_task(receiver);
    auto second = create_task(receiver);
    sleep(0s);
    a.send("x");
    await(first), await(second);
    CHECK_THAT(log.text(), Contains("recv-ok recv-recv on descriptor"));
  });
}

TEST_CASE(
    "a socket that was closed behind its back wakes nobody for the file that has its number") {
  run([] {
    auto [a, b] = Socket::pair();
    auto old = create_task([&, &b = b] { b.recv(10); });
    sleep(0s);
    const int copy = dup(b.fd());
    close(b.fd());
    auto [c, d] = Socket::pair();
    REQUIRE(c.fd() == b.fd());
    auto anew = create_task([&, &c = c] { return c.recv(10); });
    CHECK_THROWS_AS(await(old), DescriptorClosed);
    a.send("old");
    for (int i = 0; i < 10; ++i) sleep(0s);
    CHECK(!anew.done());
    CHECK_THROWS_AS(b.recv_into({}, MSG_PEEK | MSG_TRUNC), std::system_error);  // not its own
    d.send("new");
    CHECK(await(anew) == "new");
    close(copy);
    std::ignore = c.release();  // b's number
  });
}

TEST_CASE("a closed socket is not reported while a copy holds its file") {
  run([] {
    auto [a, b] = Socket::pair();
    auto receiver = create_task([&, &b = b] { b.recv(10); });
    sleep(0s);
    const int copy = dup(b.fd());
    b.close();
    CHECK_THROWS_AS(await(receiver), DescriptorClosed);
    a.send("x");
    CHECK(watched() == 0);
    // Were it told of the copy's readiness, it would look again and again until the time is over.
    const auto polls = jumpcut::get_running_loop().stats().polls;
    auto [c, d] = Socket::pair();
    CHECK_THROWS_AS(jumpcut::timeout(20ms, [&, &d = d] { d.recv(10); }), jumpcut::TimeoutError);
    CHECK(jumpcut::get_running_loop().stats().polls - polls < 10);
    close(copy);
  });
}

TEST_CASE("a forked process that drops its copy of a socket takes nothing from the parent") {
  run([] {
    auto [a, b] = Socket::pair();
    auto receiver = create_task([&, &b = b] { return b.recv(10); });
    sleep(0s);
    const pid_t child = fork();
    if (child == 0) {
      b.close();
      a.close();
      _exit(0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    a.send("x");
    CHECK(await(receiver) == "x");
  });
}

TEST_CASE("a descriptor that was closed is not reported while a forked process holds its file") {
  run([] {
    auto [a, b] = Socket::pair();
    jumpcut::PipeEnds hold = jumpcut::make_pipe();
    const int fd = b.release();
    auto receiver = create_task([&] { jumpcut::wait_readable(fd); });
    sleep(0s);
    const pid_t child = fork();
    if (child == 0) {
      close(hold.writer.fd());
      pollfd end{hold.reader.fd(), POLLIN, 0};
      poll(&end, 1, -1);  // until the parent lets it go
      _exit(0);
    }
    jumpcut::notify_closing(fd);
    close(fd);
    CHECK_THROWS_AS(await(receiver), DescriptorClosed);
    a.send("x");  // the child could receive that
    const auto polls = jumpcut::get_running_loop().stats().polls;
    auto [c, d] = Socket::pair();
    CHECK_THROWS_AS(jumpcut::timeout(20ms, [&, &d = d] { d.recv(10); }), jumpcut::TimeoutError);
    CHECK(jumpcut::get_running_loop().stats().polls - polls < 10);
    hold.writer.close();
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  });
}

TEST_CASE("after a half-close, the end is received again and again, and sending goes on") {
  run([] {
    Connection tcp = connection();
    auto receiver = create_task([&] { return tcp.server.recv(10); });
    sleep(0s);
    tcp.client.shutdown(jumpcut::Shutdown::writing);
    CHECK(await(receiver).empty());
    CHECK(tcp.server.recv(10).empty());
    tcp.server.sendall("still here");
    CHECK(tcp.client.recv(100) == "still here");
    CHECK(error_of([&] { tcp.client.send("x"); }) == EPIPE);
    tcp.server.close();
    CHECK(tcp.client.recv(10).empty());
  });
}

TEST_CASE("a reset is an error that names the call, and raises no signal") {
  const CountsSigpipe count;
  run([] {
    Connection tcp = connection();
    const std::string number = std::to_string(tcp.server.fd());
    auto receiver = create_task([&] { tcp.server.recv(10); });
    sleep(0s);
    reset(tcp.client);
    std::string text;
    CHECK(error_of([&] { await(receiver); }, &text) == ECONNRESET);
    CHECK_THAT(text, Contains("recv on descriptor " + number));
    CHECK(error_of([&] { tcp.server.send("x"); }, &text) == EPIPE);
    CHECK_THAT(text, Contains("send on descriptor " + number));
    CHECK(error_of([&] { tcp.server.sendall("x"); }) == EPIPE);
  });
  CHECK(sigpipes == 0);
}

TEST_CASE("a sender that waits for room is told of a reset") {
  run([] {
    Connection tcp = connection();
    auto sender = create_task([&] { tcp.server.sendall(std::string(20'000'000, 'x')); });
    sleep(0s);
    CHECK(!sender.done());
    reset(tcp.client);
    const int error = error_of([&] { await(sender); });
    CHECK((error == ECONNRESET || error == EPIPE));
  });
}

TEST_CASE("writing to what nobody reads raises no SIGPIPE, on sockets, pipes and by sendfile") {
  const CountsSigpipe count;
  std::FILE* file = std::tmpfile();
  REQUIRE(std::fputs("text", file) >= 0);
  REQUIRE(std::fflush(file) == 0);
  run([&] {
    auto [a, b] = Socket::pair();
    b.close();
    CHECK(error_of([&, &a = a] { a.send("x"); }) == EPIPE);
    CHECK(error_of([&, &a = a] { a.write("x"); }) == EPIPE);
    CHECK(error_of([&, &a = a] { a.sendfile(fileno(file)); }) == EPIPE);
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    pipe.reader.close();
    CHECK(error_of([&] { pipe.writer.write("x"); }) == EPIPE);
    const std::array<std::string_view, 2> parts{"a", "b"};
    CHECK(error_of([&] { pipe.writer.writev(parts); }) == EPIPE);
  });
  std::fclose(file);
  CHECK(sigpipes == 0);
  std::raise(SIGPIPE);
  CHECK(sigpipes == 1);  // the host's own still come
}

TEST_CASE("a SIGPIPE of the host's that is blocked and pending stays so") {
  const CountsSigpipe count;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const auto write_to_nobody = [] {
    run([] {
      jumpcut::PipeEnds pipe = jumpcut::make_pipe();
      pipe.reader.close();
      CHECK(error_of([&] { pipe.writer.write("x"); }) == EPIPE);
    });
  };
  sigset_t pending;
  write_to_nobody();
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
  std::raise(SIGPIPE);
  write_to_nobody();
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 1);
  CHECK(sigpipes == 0);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  CHECK(sigpipes == 1);
}

TEST_CASE("signals in plenty change nothing of what is sent") {
  const SignalStorm storm(std::chrono::microseconds(100));
  run([] {
    Connection tcp = connection();
    const std::string all = pattern(5'000'000);
    auto sender = create_task([&] { tcp.client.sendall(all), tcp.client.close(); });
    const std::string received = receive_all(tcp.server, 10'000);
    await(sender);
    CHECK((received == all));
  });
}

TEST_CASE("of data and a deadline in one turn, nothing is lost") {
  run([] {
    auto [a, b] = Socket::pair();
    Log log;
    auto receiver = create_task([&, &b = b] {
      log.outcome("recv", [&] { return jumpcut::timeout(1ms, [&] { return b.recv(10).size(); }); });
    });
    sleep(0s);
    const auto late = jumpcut::get_running_loop().time() + 2ms;
    while (jumpcut::get_running_loop().time() < late) {
    }
    a.send("four");
    await(receiver);
    CHECK(log.text() == "recv-4");
  });
}

TEST_CASE("a regular file never waits") {
  std::FILE* file = std::tmpfile();
  REQUIRE(std::fputs("text", file) >= 0);
  REQUIRE(std::fflush(file) == 0);
  REQUIRE(lseek(fileno(file), 0, SEEK_SET) == 0);
  run([&] {
    jumpcut::Descriptor descriptor = jumpcut::Descriptor::adopt(dup(fileno(file)));
    CHECK(descriptor.read(10) == "text");
    CHECK(descriptor.read(10).empty());
  });
  std::fclose(file);
}

TEST_CASE("a socket belongs to the loop of the first task that waited, until that is closed") {
  auto [a, b] = Socket::pair();
  jumpcut::Loop first;
  const auto receive = [&, &b = b] { return b.recv(10); };
  const auto exchange = [&, &a = a](jumpcut::Loop& loop, const char* text) {
    return loop.run_until_complete([&] {
      auto receiver = create_task(receive);
      sleep(0s);
      a.send(text);
      return await(receiver);
    });
  };
  CHECK(exchange(first, "one") == "one");
  {
    jumpcut::Loop second;
    CHECK_THROWS_WITH(second.run_until_complete(receive), Contains("it belongs to another loop"));
    CHECK(exchange(first, "two") == "two");
    first.close();
    CHECK(exchange(second, "three") == "three");
  }
  CHECK(b.is_open());
}

TEST_CASE("what is no open socket is refused by name") {
  auto [a, b] = Socket::pair();
  CHECK_THROWS_WITH(b.recv(1), Contains("recv") && Contains("task"));
  run([&, &a = a, &b = b] {
    Socket none;
    CHECK_THROWS_WITH(none.recv(1), Contains("recv on a descriptor that is none"));
    CHECK_THROWS_AS(none.listen(), DescriptorClosed);
    none.close();
    a.close();
    a.close();
    CHECK_THROWS_AS(a.send("x"), DescriptorClosed);
    CHECK_THROWS_AS(a.getsockname(), DescriptorClosed);
    CHECK_THROWS_AS(Socket(jumpcut::AddressFamily::none), jumpcut::ValueError);
    CHECK(error_of([] { Socket::adopt(-1); }) == EBADF);
    CHECK(error_of([] { jumpcut::Descriptor::adopt(-1); }) == EBADF);
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    CHECK(error_of([&] { Socket::adopt(pipe.reader.fd()); }) == ENOTSOCK);
    // A callback of one's own for it is refused while it is the library's.
    auto receiver = create_task([&] { b.recv(1); });
    sleep(0s);
    CHECK(receiver.done());  // the peer is closed
    auto reader = create_task([&] { pipe.reader.read(1); });
    sleep(0s);
    CHECK_THROWS_WITH(jumpcut::get_running_loop().add_reader(pipe.reader.fd(), [] {}),
                      Contains("add_reader: descriptor") && Contains("belongs to a Socket"));
    pipe.writer.close();
    await(reader);
  });
}

TEST_CASE("a socket that is destroyed on another thread than its loop's ends the program") {
  if (sanitized) return;
  const Ended ended = in_child([] {
    run([] {
      auto [a, b] = Socket::pair();
      auto receiver = create_task([&, &b = b] { b.recv(10); });
      sleep(0s);
      jumpcut::to_thread([&, &b = b] {
        try {
          b.close();
          expect(false, "close throws");
        } catch (const jumpcut::RuntimeError&) {
        }
        const Socket taken(std::move(b));
      });
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Contains("is destroyed on another thread than its loop's"));
}
