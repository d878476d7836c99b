// jumpcut/socket.hpp: connect and accept.

#include <jumpcut/jumpcut.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "log.hpp"
#include "sockets.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::Address, jumpcut::AddressFamily, jumpcut::await, jumpcut::Cancelled;
using jumpcut::create_task, jumpcut::DescriptorClosed, jumpcut::run, jumpcut::sleep;
using jumpcut::Socket, jumpcut::SocketType;

namespace {

/// A path that is nobody's, and is unlinked at the end.
class Path {
 public:
  Path() {
    REQUIRE(mkdtemp(folder_) != nullptr);
    text_ = std::string(folder_) + "/socket";
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;
  ~Path() {
    unlink(text_.c_str());
    rmdir(folder_);
  }
  const std::string& text() const { return text_; }

 private:
  char folder_[32] = "/tmp/jumpcut-XXXXXX";
  std::string text_;
};

}  // namespace

TEST_CASE("accept waits until somebody connects, and tells who") {
  run([] {
    for (const char* host : {"127.0.0.1", "::1"}) {
      Socket listening = listener(host);
      auto accepting = create_task([&] { return listening.accept(); });
      sleep(0s);
      CHECK(!accepting.done());
      Socket client(listening.getsockname().family());
      client.connect(listening.getsockname());
      auto [server, peer] = await(accepting);
      CHECK(peer == client.getsockname());
      CHECK(peer.host() == host);
      CHECK((fcntl(server.fd(), F_GETFL) & O_NONBLOCK) != 0);
      CHECK((fcntl(server.fd(), F_GETFD) & FD_CLOEXEC) != 0);
      server.send("x");
      CHECK(client.recv(10) == "x");
    }
  });
}

TEST_CASE("a Unix socket is connected to by its path, or its abstract name") {
  const Path path;
  const std::string name = '\0' + path.text();
  run([&] {
    for (const std::string& where : {path.text(), name}) {
      Socket listening(AddressFamily::local);
      listening.bind(Address::local(where));
      listening.listen();
      CHECK(listening.getsockname().path() == where);
      Socket client(AddressFamily::local);
      client.connect(Address::local(where));
      auto [server, peer] = listening.accept();
      CHECK(peer.family() == AddressFamily::local);
      CHECK(peer.path().empty());
      client.send("x");
      CHECK(server.recv(10) == "x");
    }
  });
}

TEST_CASE("Unix datagrams go by path") {
  const Path path;
  run([&] {
    Socket receiver(AddressFamily::local, SocketType::datagram);
    receiver.bind(Address::local(path.text()));
    Socket sender(AddressFamily::local, SocketType::datagram);
    sender.sendto("x", Address::local(path.text()));
    CHECK(receiver.recvfrom(10).first == "x");
    std::string text;
    CHECK(error_of([&] { sender.sendto("x", Address::local("/nowhere/x")); }, &text) == ENOENT);
    CHECK_THAT(text, Contains("sendto on descriptor") && Contains("to unix:/nowhere/x"));
  });
}

TEST_CASE("a refused connection is an error that names the call and the address") {
  run([] {
    Address nobody;
    {
      const Socket listening = listener();
      nobody = listening.getsockname();
    }
    Socket client(AddressFamily::ipv4);
    std::string text;
    CHECK(error_of([&] { client.connect(nobody); }, &text) == ECONNREFUSED);
    CHECK_THAT(text, Contains("connect on descriptor " + std::to_string(client.fd()) + ", to " +
                              nobody.to_string() + ": Connection refused"));
    Socket local(AddressFamily::local);
    CHECK(error_of([&] { local.connect(Address::local("/nowhere/x")); }) == ENOENT);
    Socket other(AddressFamily::ipv4);
    CHECK(error_of([&] { other.connect(Address::ip("::1", 1)); }) == EAFNOSUPPORT);
  });
}

TEST_CASE("errors of bind, listen and accept name the descriptor and the address") {
  run([] {
    Socket first = listener();
    Socket second(AddressFamily::ipv4);
    std::string text;
    CHECK(error_of([&] { second.bind(first.getsockname()); }, &text) == EADDRINUSE);
    CHECK_THAT(text, Contains("bind on descriptor " + std::to_string(second.fd()) + " to " +
                              first.getsockname().to_string()));
    CHECK(error_of([&] { second.getpeername(); }) == ENOTCONN);
    CHECK(error_of([&] { second.accept(); }, &text) == EINVAL);
    CHECK_THAT(text, Contains("accept on descriptor " + std::to_string(second.fd())));
    Socket datagram(AddressFamily::ipv4, SocketType::datagram);
    CHECK(error_of([&] { datagram.listen(); }) == EOPNOTSUPP);
    CHECK(error_of([&] { datagram.accept(); }) == EOPNOTSUPP);
  });
}

TEST_CASE("an accept that is cancelled leaves who connects in the queue") {
  run([] {
    Socket listening = listener();
    auto accepting = create_task([&] { listening.accept(); });
    sleep(0s);
    Socket client(AddressFamily::ipv4);
    const Address address = listening.getsockname();
    const auto* where = static_cast<const sockaddr*>(address.sockaddr());
    // Both before the task goes on.
    REQUIRE(::connect(client.fd(), where, static_cast<socklen_t>(address.size())) == -1);
    accepting.cancel();
    CHECK_THROWS_AS(await(accepting), Cancelled);
    CHECK(listening.accept().second == client.getsockname());
  });
}

TEST_CASE("several tasks may accept, and each connection is one's") {
  run([] {
    Socket listening = listener();
    std::vector<jumpcut::Task<int>> tasks;
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(create_task([&] { return listening.accept().first.fd(); }));
    }
    sleep(0s);
    std::vector<Socket> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back(AddressFamily::ipv4);
      clients.back().connect(listening.getsockname());
    }
    for (auto& task : tasks) CHECK(await(task) >= 0);
  });
}

TEST_CASE("a listener that is closed ends accept") {
  run([] {
    Socket listening = listener();
    auto accepting = create_task([&] { listening.accept(); });
    sleep(0s);
    listening.close();
    CHECK_THROWS_AS(await(accepting), DescriptorClosed);
  });
}

TEST_CASE("a Unix listener whose queue is full is connected to once there is room") {
  run([] {
    Socket listening(AddressFamily::local);
    const std::string name = std::string("\0jumpcut-test-", 14) + std::to_string(getpid());
    listening.bind(Address::local(name));
    listening.listen(1);
    std::vector<jumpcut::Task<Socket>> tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.push_back(create_task([&] {
        Socket client(AddressFamily::local);
        client.connect(Address::local(name));
        return client;
      }));
    }
    sleep(0s);
    int done = 0;
    for (const auto& task : tasks) done += task.done() ? 1 : 0;
    CHECK(done < 5);
    for (int i = 0; i < 5; ++i) listening.accept();
    for (auto& task : tasks) await(task);
  });
}

TEST_CASE("a connect that is cancelled leaves a socket that can be closed") {
  run([] {
    Socket listening(AddressFamily::local);
    const std::string name = std::string("\0jumpcut-test-", 14) + std::to_string(getpid());
    listening.bind(Address::local(name));
    listening.listen(0);
    Socket first(AddressFamily::local);
    first.connect(Address::local(name));
    Socket second(AddressFamily::local);
    auto connecting = create_task([&] { second.connect(Address::local(name)); });
    sleep(0s);
    connecting.cancel();
    CHECK_THROWS_AS(await(connecting), Cancelled);
    second.close();
    CHECK(listening.accept().first.is_open());
  });
}

TEST_CASE("without descriptors accept waits, tells the exception handler once, and does not spin") {
  if (sanitized) return;  // the sanitizers need descriptors to look at memory
  // Limits are the process's.
  const Ended ended = in_child([] {
    run([] {
      Socket listening = listener();
      std::vector<std::string> reports;
      jumpcut::get_running_loop().set_exception_handler(
          [&](const jumpcut::ErrorContext& context) { reports.push_back(context.describe()); });
      Socket client(AddressFamily::ipv4);
      client.connect(listening.getsockname());
      rlimit limit{};
      getrlimit(RLIMIT_NOFILE, &limit);
      const rlimit before = limit;
      limit.rlim_cur = static_cast<rlim_t>(client.fd()) + 1;
      setrlimit(RLIMIT_NOFILE, &limit);

      auto accepting = create_task([&] { return listening.accept(); });
      const auto polls = jumpcut::get_running_loop().stats().polls;
      const std::clock_t cpu = std::clock();
      sleep(300ms);
      expect(!accepting.done(), "it waits");
      expect(reports.size() == 1, "it tells once");
      expect(reports[0].find("RLIMIT_NOFILE") != std::string::npos, "which limit it was");
      expect(reports[0].find("accept on descriptor") != std::string::npos, "which call");
      expect(jumpcut::get_running_loop().stats().polls - polls < 30, "few turns");
      expect(std::clock() - cpu < CLOCKS_PER_SEC / 20, "little time");
      setrlimit(RLIMIT_NOFILE, &before);
      expect(await(accepting).second == client.getsockname(), "he was in the queue all the time");
      expect(reports.size() == 1, "and says no more");
    });
  });
  CHECK(ended.output == "");
  CHECK(ended.exit_code == 0);
}
