// jumpcut/protocol.hpp: which calls a protocol gets, and in which order. Where a line of events is
// compared, it is what CPython's transports make of the same steps, but for the names of errors and
// reports.

#include <jumpcut/jumpcut.hpp>

#include "log.hpp"
#include "on_loop.hpp"
#include "sockets.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::Address, jumpcut::create_connection, jumpcut::create_server;
using jumpcut::create_task;
using jumpcut::Future, jumpcut::get_running_loop, jumpcut::run, jumpcut::Socket;
using jumpcut::Transport;

namespace {

/// Writes down what it is told, and does what it was asked to do then.
class Noted : public jumpcut::Protocol {
 public:
  using Then = std::function<void(Noted&)>;

  Noted(Log& log, std::string name) : log_(log), name_(std::move(name)) {}

  void connection_made(const Transport& made) override {
    transport = made;
    log_(name_ + "-made");
    if (on_made) on_made(*this);
  }
  void data_received(std::string_view data) override {
    received += data.size();
    if (quiet) return;
    log_(name_ + "-data(" + std::string(data) + ")");
    if (on_data) on_data(*this);
  }
  bool eof_received() override {
    log_(name_ + "-eof");
    if (on_eof) on_eof(*this);
    return stays;
  }
  void connection_lost(const std::exception_ptr& error) override {
    std::string kind;
    try {
      if (error != nullptr) std::rethrow_exception(error);
    } catch (const std::system_error& system) {
      kind = std::to_string(system.code().value());
    } catch (const std::exception& other) {
      kind = other.what();
    }
    log_(name_ + "-lost(" + kind + ")");
    lost.set_result();
    if (on_lost) on_lost(*this);
  }
  void pause_writing() override {
    log_(name_ + "-pause");
    if (on_pause) on_pause(*this);
  }
  void resume_writing() override {
    log_(name_ + "-resume");
    if (on_resume) on_resume(*this);
  }

  Transport transport;
  Then on_made, on_data, on_eof, on_lost, on_pause, on_resume;
  bool stays = false;
  bool quiet = false;
  std::size_t received = 0;
  Future<> lost;

 private:
  Log& log_;
  std::string name_;
};

using NotedPointer = std::shared_ptr<Noted>;

[[noreturn]] void boom(Noted&) {
  throw std::invalid_argument("boom");
}

auto just(NotedPointer protocol) {
  return [protocol = std::move(protocol)] { return protocol; };
}

/// Two that talk to each other.
struct Ends {
  Log log;
  NotedPointer a = std::make_shared<Noted>(log, "a");
  NotedPointer b = std::make_shared<Noted>(log, "b");

  Ends() {
    get_running_loop().set_exception_handler([this](const jumpcut::ErrorContext& context) {
      log("report<" + context.message.substr(0, context.message.find(',')) + ">");
    });
  }
  void connect() {
    auto [x, y] = Socket::pair();
    create_connection(just(a), std::move(x));
    create_connection(just(b), std::move(y));
  }
  /// For what does not go through at once.
  void narrow() const {
    const int size = 4096;
    REQUIRE(setsockopt(a->transport.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
  }
  std::string end() {
    await(a->lost);
    await(b->lost);
    ticks(3);
    return log.take();
  }
};

const std::string much(300'000, 'x');

}  // namespace

TEST_CASE("connection_made comes first, in a turn of its own, and what came early after it") {
  run([] {
    Ends ends;
    auto [x, y] = Socket::pair();
    y.send("early");
    ends.a->on_made = [&](Noted& a) {
      get_running_loop().call_soon([&] { ends.log("soon"); });
      a.transport.write("x");
    };
    get_running_loop().call_soon([&] { ends.log("before"); });
    const auto connecting = create_task([&, x = std::make_shared<Socket>(std::move(x))] {
      create_connection(
          [&] {
            ends.log("factory");
            return ends.a;
          },
          std::move(*x));
    });
    await(connecting);
    ends.log("returned");
    ticks(3);
    ends.a->transport.close();
    ends.log("closed");
    await(ends.a->lost);
    CHECK(ends.log.text() == "before factory a-made soon a-data(early) returned closed a-lost()");
    CHECK(y.recv(10) == "x");
    CHECK(watched() == 0);
  });
}

TEST_CASE("a peer that sends no more is told by eof_received, and the transport closes") {
  run([] {
    Ends ends;
    ends.b->on_data = [](Noted& b) { b.transport.write("back"); };
    ends.connect();
    ends.a->transport.write("hello");
    ends.log("written");
    ticks(3);
    ends.a->transport.write_eof();
    ends.log("eof");
    CHECK_THROWS_AS(ends.a->transport.write("x"), jumpcut::RuntimeError);
    CHECK(ends.end() ==
          "a-made b-made written b-data(hello) a-data(back) eof b-eof b-lost() a-eof a-lost()");
  });
}

TEST_CASE("eof_received that returns true leaves the connection half open") {
  run([] {
    Ends ends;
    ends.b->stays = true;
    ends.connect();
    ends.a->transport.write("q");
    ends.a->transport.write_eof();
    ticks(4);
    ends.b->transport.write("answer");
    ticks(3);
    CHECK(!ends.a->transport.is_closing());
    CHECK(!ends.b->transport.is_closing());
    ends.b->transport.close();
    CHECK(ends.end() == "a-made b-made b-data(q) b-eof a-data(answer) b-lost() a-eof a-lost()");
  });
}

TEST_CASE("what data_received throws ends the connection, and is reported unless the system's") {
  run([] {
    Ends ends;
    ends.b->on_data = boom;
    ends.connect();
    ends.a->transport.write("q");
    CHECK(ends.end() ==
          "a-made b-made b-data(q) report<protocol.data_received() failed> b-lost(boom) a-eof "
          "a-lost()");
    Ends other;
    other.b->on_data = [](Noted&) { throw std::system_error(EIO, std::generic_category()); };
    other.connect();
    other.a->transport.write("q");
    CHECK(other.end() ==
          "a-made b-made b-data(q) b-lost(" + std::to_string(EIO) + ") a-eof a-lost()");
  });
}

TEST_CASE("what the other calls throw is reported") {
  run([] {
    {
      Ends ends;
      ends.a->on_made = boom;
      ends.connect();
      ends.b->transport.write("q");
      ticks(3);
      ends.b->transport.close();
      const std::string text = ends.end();
      CHECK_THAT(text, Catch::StartsWith("a-made report<"));
      CHECK_THAT(text, Catch::EndsWith("> b-made a-data(q) b-lost() a-eof a-lost()"));
    }
    {
      Ends ends;
      ends.b->on_eof = boom;
      ends.connect();
      ends.a->transport.close();
      CHECK(ends.end() ==
            "a-made b-made a-lost() b-eof report<protocol.eof_received() failed> b-lost(boom)");
    }
    {
      Ends ends;
      ends.a->on_lost = boom;
      ends.connect();
      ends.a->transport.close();
      const std::string text = ends.end();
      CHECK_THAT(text, Catch::StartsWith("a-made b-made a-lost() report<"));
      CHECK_THAT(text, Catch::EndsWith("> b-eof b-lost()"));
    }
    {
      Ends ends;
      ends.a->on_pause = ends.a->on_resume = boom;
      ends.b->quiet = true;
      ends.connect();
      ends.a->transport.set_write_buffer_limits(10);
      CHECK(ends.a->transport.get_write_buffer_limits() ==
            std::pair<std::size_t, std::size_t>(2, 10));
      ends.narrow();
      ends.a->transport.write(much);
      ends.a->transport.close();
      CHECK(ends.end() ==
            "a-made b-made a-pause report<protocol.pause_writing() failed> a-resume "
            "report<protocol.resume_writing() failed> a-lost() b-eof b-lost()");
    }
  });
}

TEST_CASE("pause_writing comes above the high-water mark, resume_writing at the low one") {
  run([] {
    Ends ends;
    ends.b->quiet = true;
    ends.connect();
    ends.b->transport.pause_reading();
    const auto limits = ends.a->transport.get_write_buffer_limits();
    CHECK(limits == std::pair<std::size_t, std::size_t>(16384, 65536));
    ends.narrow();
    ends.a->transport.write(much);
    CHECK(ends.a->transport.get_write_buffer_size() > 65536);
    const std::vector<std::string_view> parts{"y", "", "zz"};
    ends.a->transport.writelines(parts);
    ticks(3);
    ends.log("reading");
    ends.a->on_resume = [](Noted& a) { CHECK(a.transport.get_write_buffer_size() <= 16384); };
    ends.b->transport.resume_reading();
    while (ends.a->transport.get_write_buffer_size() > 0) jumpcut::sleep(0s);
    ends.a->transport.close();
    ends.log("close");
    CHECK(ends.end() == "a-made b-made a-pause reading a-resume close a-lost() b-eof b-lost()");
    CHECK(ends.b->received == much.size() + 3);
    CHECK_THROWS_AS(ends.a->transport.set_write_buffer_limits(1, 2), jumpcut::ValueError);
    Ends other;
    other.b->quiet = true;
    other.connect();
    const Transport& transport = other.a->transport;
    other.b->transport.pause_reading();
    other.narrow();
    transport.set_write_buffer_limits(2 * much.size());
    transport.write(much);
    transport.set_write_buffer_limits(transport.get_write_buffer_size());
    CHECK(other.log.take() == "a-made b-made");
    transport.write("x");
    CHECK(other.log.take() == "a-pause");
    transport.abort();
    other.b->transport.abort();
    other.end();
  });
}

TEST_CASE("write_eof comes after what is unsent") {
  run([] {
    Ends ends;
    ends.b->quiet = true;
    ends.connect();
    ends.narrow();
    ends.a->transport.write(much);
    ends.a->transport.write_eof();
    ends.a->transport.write_eof();
    CHECK(ends.end() == "a-made b-made a-pause a-resume b-eof b-lost() a-eof a-lost()");
    CHECK(ends.b->received == much.size());
  });
}

TEST_CASE("a transport is its loop's thread's") {
  run([] {
    Ends ends;
    ends.connect();
    CHECK_THROWS_WITH(await(jumpcut::run_in_executor(
                          nullptr, [transport = ends.a->transport] { transport.write("x"); })),
                      Contains("another thread"));
    ends.a->transport.close();
    ends.end();
  });
}

TEST_CASE("close sends what is unsent, and what is written meanwhile; abort drops it") {
  run([] {
    Ends ends;
    ends.b->quiet = true;
    ends.connect();
    ends.b->transport.pause_reading();
    ends.narrow();
    ends.a->transport.write(much);
    ends.a->transport.close();
    ends.log("close");
    ticks(4);
    ends.a->transport.write("more");
    CHECK(ends.a->transport.get_write_buffer_size() > 0);
    ends.b->transport.resume_reading();
    CHECK(ends.end() == "a-made b-made a-pause close a-resume a-lost() b-eof b-lost()");
    CHECK(ends.b->received == much.size() + 4);
    Ends other;
    other.b->quiet = true;
    other.connect();
    other.b->transport.pause_reading();
    other.narrow();
    other.a->transport.write(much);
    other.a->transport.abort();
    CHECK(other.a->transport.is_closing());
    CHECK(other.a->transport.get_write_buffer_size() == 0);
    other.a->transport.abort();
    other.a->transport.close();
    await(other.a->lost);
    other.b->transport.resume_reading();
    CHECK(other.end() == "a-made b-made a-pause a-lost() b-eof b-lost()");
    CHECK(other.b->received < much.size());
  });
}

TEST_CASE("connection_lost comes once, wherever it was asked for") {
  run([] {
    {
      Ends ends;
      ends.b->on_data = [](Noted& b) {
        b.transport.close();
        b.transport.write("late");
        CHECK(b.transport.get_write_buffer_size() == 0);
      };
      ends.connect();
      ends.a->transport.write("q");
      CHECK(ends.end() == "a-made b-made b-data(q) b-lost() a-eof a-lost()");
    }
    {
      Ends ends;
      ends.a->on_made = [](Noted& a) { a.transport.abort(); };
      ends.connect();
      ends.log("returned");
      CHECK(ends.end() == "a-made a-lost() b-made returned b-eof b-lost()");
    }
    {
      // While the last of it is sent: CPython calls it twice.
      Ends ends;
      ends.b->quiet = true;
      ends.a->on_resume = [](Noted& a) { a.transport.abort(); };
      ends.connect();
      ends.a->transport.set_write_buffer_limits(0);
      ends.narrow();
      ends.a->transport.write(much);
      ends.a->transport.close();
      CHECK(ends.end() == "a-made b-made a-pause a-resume a-lost() b-eof b-lost()");
    }
  });
}

TEST_CASE("no data comes while reading is paused") {
  run([] {
    Ends ends;
    ends.b->on_data = [](Noted& b) { b.transport.pause_reading(); };
    ends.connect();
    ends.a->transport.write("1");
    ticks(3);
    ends.a->transport.write("2");
    ticks(3);
    CHECK(!ends.b->transport.is_reading());
    ends.b->transport.resume_reading();
    ends.b->transport.resume_reading();
    ticks(3);
    ends.a->transport.close();
    ticks(5);
    ends.log("resume");
    ends.b->transport.resume_reading();
    CHECK(ends.end() == "a-made b-made b-data(1) b-data(2) a-lost() resume b-eof b-lost()");
  });
}

TEST_CASE("a reset, and a peer that is gone, are connection_lost's error") {
  run([] {
    Ends ends;
    Connection both = connection();
    create_connection(just(ends.a), std::move(both.server));
    const linger hard{1, 0};
    setsockopt(both.client.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    both.client.close();
    await(ends.a->lost);
    for (int i = 0; i < 3; ++i) ends.a->transport.write("late");
    CHECK(ends.log.take() == "a-made a-lost(" + std::to_string(ECONNRESET) + ")");
    auto [x, y] = Socket::pair();
    create_connection(just(ends.b), std::move(x));
    ends.b->transport.pause_reading();
    y.close();
    ends.b->transport.write("1");  // no SIGPIPE
    ends.log("written");
    await(ends.b->lost);
    CHECK(ends.log.take() == "b-made written b-lost(" + std::to_string(EPIPE) + ")");
  });
}

TEST_CASE("a server makes a protocol for each who connects, and counts them") {
  run([] {
    Ends ends;
    std::vector<NotedPointer> served;
    jumpcut::Server server = create_server(
        [&] {
          ends.log("factory");
          served.push_back(std::make_shared<Noted>(ends.log, "s" + std::to_string(served.size())));
          served.back()->on_data = [](Noted& s) { s.transport.write("back"); };
          return served.back();
        },
        "127.0.0.1", 0);
    ends.a->on_data = [](Noted& a) { a.transport.close(); };
    const auto [transport, protocol] = create_connection(just(ends.a), server.addresses()[0]);
    CHECK(protocol == ends.a);
    CHECK(transport.getpeername() == server.addresses()[0]);
    ticks(5);
    CHECK(server.connections() == 1);
    CHECK(transport.getsockname() == served[0]->transport.getpeername());
    transport.write("hi");
    await(ends.a->lost);
    await(served[0]->lost);
    server.close();
    server.wait_closed();
    // Which end is connected first is nobody's promise.
    CHECK_THAT(ends.log.take(),
               Catch::StartsWith("factory ") &&
                   Catch::EndsWith("s0-data(hi) a-data(back) a-lost() s0-eof s0-lost()"));
    // The server's clients are its to close.
    jumpcut::Server other =
        create_server([&] { return served.emplace_back(std::make_shared<Noted>(ends.log, "t")); },
                      "127.0.0.1", 0);
    create_connection(just(ends.b), "127.0.0.1", other.addresses()[0].port());
    while (other.connections() == 0 || !served.back()->transport) jumpcut::sleep(0s);
    ends.b->quiet = true;
    served.back()->transport.write(std::string(8'000'000, 'x'));  // more than there is room for
    other.close();
    other.close_clients();
    CHECK(served.back()->transport.is_closing());
    other.wait_closed();
    CHECK(served.back()->lost.done());
    await(ends.b->lost);
    CHECK(ends.b->received == 8'000'000);
    CHECK_THROWS_AS(create_server(std::function<NotedPointer()>(), "127.0.0.1", 0),
                    jumpcut::ValueError);
  });
}

TEST_CASE("a Unix socket's connection has protocols too, and a factory may fail") {
  std::string folder = "/tmp/jumpcut-protocol-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/socket";
  run([&] {
    Ends ends;
    jumpcut::Server server = jumpcut::create_unix_server(
        [&, count = 0]() mutable -> std::unique_ptr<jumpcut::Protocol> {
          if (count++ == 0) throw std::runtime_error("no protocol");
          auto echo = std::make_unique<Noted>(ends.log, "s");
          echo->on_data = [](Noted& s) { s.transport.write("back"); };
          return echo;
        },
        path);
    jumpcut::create_unix_connection(just(ends.a), path);
    await(ends.a->lost);
    CHECK_THAT(ends.log.take(), Contains("report<"));
    jumpcut::create_unix_connection(just(ends.b), path);
    ends.b->transport.write("hi");
    ends.b->on_data = [](Noted& b) { b.transport.abort(); };
    await(ends.b->lost);
    server.close();
    server.wait_closed();
    CHECK(ends.log.take() == "b-made s-made s-data(hi) b-data(back) b-lost() s-eof s-lost()");
  });
  rmdir(folder.c_str());
}

TEST_CASE("set_protocol has another one told from then on") {
  run([] {
    Ends ends;
    const auto c = std::make_shared<Noted>(ends.log, "c");
    ends.connect();
    const Transport transport = ends.b->transport;
    transport.set_protocol(c);
    CHECK(transport.get_protocol() == c);
    ends.a->transport.write("q");
    ticks(3);
    ends.a->transport.close();
    await(ends.a->lost);
    await(c->lost);
    CHECK(ends.log.take() == "a-made b-made c-data(q) a-lost() c-eof c-lost()");
    ticks(1);
    CHECK(transport.get_protocol() == nullptr);
    CHECK(transport.fd() == -1);
  });
}

TEST_CASE("run ends transports that are left, and lets go of their protocols") {
  Log log;
  std::weak_ptr<Noted> gone;
  Transport kept;
  run([&] {
    auto [x, y] = Socket::pair();
    const auto left = std::make_shared<Noted>(log, "left");
    gone = left;
    kept = create_connection(just(left), std::move(x)).first;
    create_connection([&] { return std::make_unique<Noted>(log, "other"); }, std::move(y));
  });
  CHECK_THAT(log.take(), Contains("left-lost()") && Contains("other-lost()"));
  CHECK(gone.expired());
  CHECK(kept.is_closing());
  kept.write("nobody");
  CHECK_THROWS_AS(Transport().write("x"), jumpcut::RuntimeError);
  // A loop that is only closed calls nobody.
  std::weak_ptr<Noted> dropped;
  {
    jumpcut::Loop loop;
    loop.run_until_complete([&] {
      auto [x, y] = Socket::pair();
      const auto left = std::make_shared<Noted>(log, "left");
      dropped = left;
      create_connection(just(left), std::move(x));
    });
    log.take();
  }
  CHECK(log.take().empty());
  CHECK(dropped.expired());
}

TEST_CASE("create_connection that is cancelled closes the connection") {
  run([] {
    Ends ends;
    auto [x, y] = Socket::pair();
    ends.a->on_made = [](Noted&) {};
    const auto connecting = create_task([&, x = std::make_shared<Socket>(std::move(x))] {
      create_connection(just(ends.a), std::move(*x));
    });
    jumpcut::sleep(0s);
    connecting.cancel();
    CHECK(is_cancelled([&] { await(connecting); }));
    await(ends.a->lost);
    CHECK(ends.log.take() == "a-made a-lost()");
    CHECK(y.recv(1).empty());
  });
}
