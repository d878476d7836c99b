// What exactly comes of a call that fails, where that is more than an error that names it.

#include <jumpcut/jumpcut.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "../on_loop.hpp"
#include "../sockets.hpp"
#include "injector.hpp"

using Catch::Contains;
using faults::fail_one;
using jumpcut::await, jumpcut::create_task, jumpcut::run, jumpcut::Socket, jumpcut::Stdio;
using jumpcut::StreamOptions;

namespace {

/// What a stack's guard is made by, here.
faults::Key guard_call() {
  const bool advised =
      jumpcut::lowlevel::StackPool().guard_mode() == jumpcut::lowlevel::GuardMode::madvise;
  return advised ? faults::Key("madvise (guard)") : faults::Key("mprotect");
}

/// While it lives, calls fail as was said.
struct Failing {
  Failing(faults::Key call, faults::Fault fault, std::uint32_t times = 1, std::uint32_t nth = 0) {
    fail_one(call, nth, fault, times);
  }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { faults::stop(); }
};

struct TemporaryFile {
  explicit TemporaryFile(const std::string& text) : file(std::tmpfile()) {
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    REQUIRE(std::fflush(file) == 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::fclose(file); }
  int fd() const { return fileno(file); }

  std::FILE* const file;
};

}  // namespace

TEST_CASE("accept waits where the system has no room for a connection, and says so once") {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM}) {
    const std::vector<std::string> reports = reports_of([&] {
      Socket listening = listener();
      Socket client(jumpcut::AddressFamily::ipv4);
      client.connect(listening.getsockname());
      const auto before = elapsed();
      const Failing failing("accept4", error, 3);
      listening.accept().first.send("x");
      CHECK(client.recv(10) == "x");
      CHECK(elapsed() - before == 10ms + 20ms + 40ms);
    });
    CHECK(reports.size() == 1);
  }
}

TEST_CASE("accept tries again within a second of whatever kept it from it, however long that was") {
  const std::vector<std::string> reports = reports_of([] {
    Socket listening = listener();
    Socket client(jumpcut::AddressFamily::ipv4);
    client.connect(listening.getsockname());
    auto accepting = create_task([&] { return listening.accept(); });
    {
      const Failing failing("accept4", EMFILE, faults::for_ever);
      jumpcut::sleep(3602s);
      CHECK(faults::injected() < 3700);
    }
    const auto before = elapsed();
    await(accepting).first.send("x");
    CHECK(client.recv(10) == "x");
    CHECK(elapsed() - before <= 1s);
  });
  CHECK(reports.size() == 1);
}

TEST_CASE("accept passes over a connection that is gone, and what its network says") {
  for (const int error : {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH, EINTR}) {
    const std::vector<std::string> reports = reports_of([&] {
      Socket listening = listener();
      Socket client(jumpcut::AddressFamily::ipv4);
      client.connect(listening.getsockname());
      const Failing failing("accept4", error, 3);
      listening.accept().first.send("x");
      CHECK(client.recv(10) == "x");
      CHECK(elapsed() == 0ns);
    });
    CHECK(reports.empty());
  }
}

TEST_CASE("a server goes on when a connection can't be accepted, or served") {
  const auto echo = [](jumpcut::Stream& stream) { stream.write(stream.read_line()); };
  const auto asks = [](const jumpcut::Server& server) {
    jumpcut::Stream stream = jumpcut::open_connection(server.addresses().front());
    stream.write("hello\n");
    return stream.read();
  };
  const auto reports = reports_of([&] {
    jumpcut::Server server = jumpcut::start_server(echo, "127.0.0.1", 0);
    {
      const Failing failing("accept4", ENFILE, 2);
      CHECK(asks(server) == "hello\n");
    }
    {
      const Failing failing(guard_call(), ENOMEM, faults::for_ever);
      // Its task has a stack that was used before, or no connection at all.
      const std::string answer = asks(server);
      CHECK((answer.empty() || answer == "hello\n"));
    }
    CHECK(asks(server) == "hello\n");
    server.close();
    server.wait_closed();
  });
  CHECK(!reports.empty());
}

TEST_CASE("a server that can't be told of connections tries again, and else listens no more") {
  const auto reports = reports_of([&] {
    const auto echo = [](jumpcut::Stream& stream) { stream.write(stream.read_line()); };
    jumpcut::Server server = jumpcut::start_server(echo, "127.0.0.1", 0);
    const jumpcut::Address address = server.addresses().front();
    {
      const Failing failing("epoll_ctl (add)", ENOMEM);
      settle();
    }
    jumpcut::Stream stream = jumpcut::open_connection(address);
    stream.write("hello\n");
    CHECK(stream.read() == "hello\n");
    CHECK(elapsed() == 1s);
    {
      const Failing failing("accept4", EINVAL);
      try {
        jumpcut::open_connection(address).read();
      } catch (const std::system_error& error) {  // he was in the queue
        CHECK(error.code().value() == ECONNRESET);
      }
      CHECK(error_of([&] { jumpcut::open_connection(address); }) == ECONNREFUSED);
    }
    CHECK(server.addresses().empty());
  });
  CHECK_THAT(reports.at(0), Contains("tries again in a second"));
  CHECK_THAT(reports.at(1), Contains("a server listens no more on 127.0.0.1"));
}

TEST_CASE("a server whose accepting task gets no stack listens no more") {
  on_loop([&] {
    jumpcut::Server server = jumpcut::start_server([](jumpcut::Stream&) {}, "127.0.0.1", 0);
    const jumpcut::Address address = server.addresses().front();
    const Failing failing(guard_call(), ENOMEM, faults::for_ever);
    settle();
    CHECK(error_of([&] { jumpcut::open_connection(address); }) == ECONNREFUSED);
  });
}

TEST_CASE("sendfile reads and sends what the system can't send so") {
  const std::string all = pattern(300'000);
  const TemporaryFile file(all);
  for (const int error : {EINVAL, ENOSYS}) {
    for (const std::uint32_t nth : {0u, 1u}) {
      run([&, error] {
        auto [a, b] = Socket::pair();
        const auto sender = create_task([&, &a = a] {
          const std::size_t size = a.sendfile(file.fd(), 10, 250'000);
          a.close();
          return size;
        });
        const Failing failing("sendfile", error, faults::for_ever, nth);
        CHECK(receive_all(b, 50'000) == all.substr(10, 250'000));
        CHECK(await(sender) == 250'000);
      });
    }
  }
}

TEST_CASE("sendfile names the file that it can't read where the system can't send it") {
  run([] {
    auto [a, b] = Socket::pair();
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    const Failing failing("sendfile", EINVAL);
    std::string text;
    CHECK(error_of([&, &a = a] { a.sendfile(pipe.reader.fd()); }, &text) == ESPIPE);
    CHECK_THAT(text, Contains("sendfile") && Contains(std::to_string(pipe.reader.fd())));
  });
}

TEST_CASE("what a stream can't send after write returned ends who reads, and the peer's wait") {
  const StreamOptions options{.high_water = 1'000'000};
  for (const int error : {ENOBUFS, EHOSTUNREACH, EPIPE}) {
    on_loop([&] {
      auto [a, b] = Socket::pair();
      jumpcut::Stream stream(std::move(a), options);
      const auto reader = create_task([&] { return stream.read(); });
      b.send("last words");
      const Failing failing("send", error, 1, 1);
      stream.write(pattern(900'000));
      CHECK(stream.write_buffer_size() > 0);
      const auto peer = create_task([&, &b = b] {
        receive_all(b, 500'000);
        b.close();
      });
      if (error == EPIPE) {  // as if the peer was closed
        stream.socket().shutdown(jumpcut::Shutdown::writing);
        CHECK(await(reader) == "last words");
      } else {
        std::string text;
        CHECK(error_of([&] { await(reader); }, &text) == error);
        CHECK_THAT(text, Contains("write on descriptor"));
      }
      await(peer);
      CHECK(error_of([&] { stream.drain(); }) == error);
    });
  }
}

TEST_CASE("where no address can be tried for want of descriptors, that is the error") {
  run([] {
    const Failing failing("socket", EMFILE, faults::for_ever);
    CHECK_THROWS_AS(jumpcut::open_connection(faults::host_of_two_families, 1),
                    jumpcut::ResourceError);
    CHECK_THROWS_WITH(jumpcut::open_connection(faults::host_of_two_families, 1),
                      Contains("socket") && Contains("RLIMIT_NOFILE"));
  });
}

TEST_CASE("an interruption is not seen by who resizes a file, or has it written to the disk") {
  const std::string path = "/tmp/jumpcut-errors-" + std::to_string(getpid());
  run([&] {
    jumpcut::write_file(path, "text");
    const jumpcut::File file(path, jumpcut::FileMode::read_write);
    for (const faults::Key call : {faults::Key("ftruncate"), faults::Key("fdatasync")}) {
      const Failing failing(call, EINTR, 2);
      file.resize(3);
      file.sync();
      CHECK(file.size() == 3);
    }
  });
  unlink(path.c_str());
}

TEST_CASE("communicate closes the input of who does not read it") {
  run([] {
    jumpcut::Process cat =
        jumpcut::create_subprocess_exec({"cat"}, {.in = Stdio::pipe, .out = Stdio::pipe});
    const Failing failing("writev", EPIPE);
    jumpcut::timeout(30s, [&] { CHECK(cat.communicate("x").first.empty()); });
    CHECK(cat.returncode() == 0);
    CHECK(cat.in().is_closing());
  });
}

TEST_CASE("a process that can't be killed holds nobody up, and is named") {
  int pid = 0;
  {
    const Failing failing("kill", EPERM, faults::for_ever);
    run([&] {
      pid = jumpcut::create_subprocess_exec({"sleep", "100"}).pid();
      jumpcut::sleep(0s);
    });
  }
  CHECK_THAT(faults::warnings(),
             Contains("process " + std::to_string(pid) + " can't be killed, and runs on"));
  REQUIRE(kill(pid, SIGKILL) == 0);
  CHECK(waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("where no thread can be started, to_thread says why, and later works again") {
  run([] {
    {
      const Failing failing("pthread_create", EAGAIN);
      CHECK_THROWS_WITH(jumpcut::to_thread([] {}),
                        Contains("no thread can be started") && Contains("RLIMIT_NPROC"));
    }
    CHECK(jumpcut::to_thread([] { return 1; }) == 1);
  });
}

TEST_CASE("a loop that can't wait says so out of run, once, and does not spin") {
  for (const int error : {EBADF, ENOMEM}) {
    const bool fine = [] {
      faults::count();
      run([] { jumpcut::sleep(1ms); });
      faults::stop();
      return faults::reached(faults::Key("epoll_pwait2").index) > 0;
    }();
    const Failing failing(fine ? faults::Key("epoll_pwait2") : faults::Key("epoll_wait"), error,
                          faults::for_ever);
    const auto refuses = [] {
      for (;;) {
        try {
          jumpcut::sleep(1ms);
        } catch (const jumpcut::Cancelled&) {
        }
      }
    };
    CHECK_THROWS_WITH(run(refuses), Contains("epoll_wait on descriptor"));
    CHECK(faults::injected() < 10);
    CHECK_THAT(faults::warnings(), Contains("a Loop is closed that can't run any more") &&
                                       Contains("1 task has not ended"));
  }
}

TEST_CASE("a worker keeps no connection open where it can't list what it holds") {
  // The folder with the list; and what takes the numbers, after the empty standard input.
  const std::pair<faults::Key, std::uint32_t> both[] = {{faults::Key("opendir"), 0u},
                                                        {faults::Key("open"), 1u}};
  for (const auto& one : both) {
    run([&one] {
      auto [mine, theirs] = Socket::pair();
      jumpcut::ProcessPool pool;
      const Failing failing(one.first, EMFILE, 1, one.second);
      auto busy = pool.submit([] { usleep(60'000'000); });
      while (pool.worker_count() == 0) jumpcut::sleep(0s);
      mine.close();
      jumpcut::timeout(30s, [&theirs = theirs] { CHECK(theirs.recv(1).empty()); });
      CHECK(faults::injected() == 1);
      busy.cancel();
    });
  }
}
