// jumpcut/protocol.hpp: transports of pipes, and protocols with memory of their own. Where a line
// of events is compared, it is what CPython's transports make of the same steps, but for the names
// of errors and reports.

#include <jumpcut/jumpcut.hpp>

#include "log.hpp"
#include "on_loop.hpp"
#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::connect_read_pipe, jumpcut::connect_write_pipe;
using jumpcut::Descriptor, jumpcut::Future, jumpcut::make_pipe, jumpcut::PipeEnds;
using jumpcut::RuntimeError, jumpcut::Transport, jumpcut::ValueError;

namespace {

std::string kind_of(const std::exception_ptr& error) {
  if (error == nullptr) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& one) {
    return std::to_string(one.code().value());
  } catch (const std::exception& one) {
    return one.what();
  }
}

/// Writes down what it is told.
class Noted final : public jumpcut::Protocol {
 public:
  explicit Noted(Log& log) : log_(log) {}

  void connection_made(const Transport&) override { log_("made"); }
  void data_received(std::string_view data) override {
    log_("data(" + std::string(data) + ")");
    if (data == "bad") throw std::runtime_error("bad data");
  }
  bool eof_received() override {
    log_("eof");
    return true;
  }
  void pause_writing() override { log_("pause"); }
  void resume_writing() override { log_("resume"); }
  void connection_lost(const std::exception_ptr& error) override {
    log_("lost(" + kind_of(error) + ")");
    lost_.set_result();
  }
  void wait_lost() const { await(lost_); }
  bool is_lost() const { return lost_.done(); }

 private:
  Log& log_;
  Future<> lost_;
};

auto noted(Log& log) {
  return [&log] { return std::make_unique<Noted>(log); };
}

class Buffered final : public jumpcut::BufferedProtocol {
 public:
  Buffered(Log& log, std::span<char> room) : log_(log), room_(room) {}

  std::span<char> get_buffer(std::ptrdiff_t size_hint) override {
    log_("get_buffer(" + std::to_string(size_hint) + ")");
    return room_;
  }
  void buffer_updated(std::size_t size) override {
    log_("updated(" + std::string(room_.data(), size) + ")");
    if (throws) throw std::runtime_error("bad data");
  }
  bool eof_received() override {
    log_("eof");
    return false;
  }
  void connection_lost(const std::exception_ptr& error) override {
    log_("lost(" + kind_of(error) + ")");
    lost.set_result();
  }

  bool throws = false;
  Future<> lost;

 private:
  Log& log_;
  const std::span<char> room_;
};

}  // namespace

TEST_CASE("a pipe that is read tells what comes, and its end") {
  Log log;
  const std::vector<std::string> reports = reports_of([&] {
    PipeEnds pipe = make_pipe();
    pipe.writer.write("one");
    const auto [transport, protocol] = connect_read_pipe(noted(log), std::move(pipe.reader));
    log("connected");
    ticks(10);
    pipe.writer.write("bad");  // what this throws is reported, and reading goes on
    ticks(10);
    pipe.writer.write("two");
    ticks(10);
    transport.pause_reading();
    CHECK(!transport.is_reading());
    pipe.writer.write("three");
    ticks(10);
    log("resumed");
    transport.resume_reading();
    ticks(10);
    pipe.writer.close();
    protocol->wait_lost();
    CHECK(transport.is_closing());
    CHECK(transport.fd() == -1);
  });
  CHECK(log.text() ==
        "made connected data(one) data(bad) data(two) resumed data(three) eof lost(none)");
  CHECK(reports == std::vector<std::string>{"Exception in add_reader"});
}

TEST_CASE("a pipe that is read can be closed, but not written") {
  Log log;
  jumpcut::run([&] {
    PipeEnds pipe = make_pipe();
    const auto [transport, protocol] = connect_read_pipe(noted(log), std::move(pipe.reader));
    CHECK_THROWS_WITH(transport.write("x"), Contains("write") && Contains("only read"));
    CHECK_THROWS_AS(transport.write_eof(), RuntimeError);
    transport.close();
    log("closed");
    protocol->wait_lost();
    CHECK(error_of([&] { pipe.writer.write("x"); }) == EPIPE);
  });
  CHECK(log.text() == "made closed lost(none)");
}

TEST_CASE("a pipe that is written is closed once all is sent") {
  for (const bool by_eof : {false, true}) {
    Log log;
    jumpcut::run([&] {
      PipeEnds pipe = make_pipe();
      const auto [transport, protocol] = connect_write_pipe(noted(log), std::move(pipe.writer));
      CHECK_THROWS_WITH(transport.pause_reading(), Contains("only written"));
      const std::string much = pattern(200'000);
      transport.write(much);
      CHECK(transport.get_write_buffer_size() > 0);
      by_eof ? transport.write_eof() : transport.close();
      log("closed");
      transport.write("dropped");
      CHECK(transport.is_closing());
      std::string all;
      for (std::string part; !(part = pipe.reader.read(70'000)).empty();) all += part;
      CHECK(all == much);
      protocol->wait_lost();
    });
    CHECK(log.text() == "made pause closed resume lost(none)");
  }
}

TEST_CASE("who writes a pipe learns that nobody reads it any more") {
  const auto play = [](auto steps) {
    Log log;
    jumpcut::run([&] {
      PipeEnds pipe = make_pipe();
      const auto [transport, protocol] = connect_write_pipe(noted(log), std::move(pipe.writer));
      steps(transport, pipe.reader);
      protocol->wait_lost();
    });
    return log.text();
  };
  const std::string much(200'000, 'x');
  const std::string broken = "lost(" + std::to_string(EPIPE) + ")";
  // With nothing unsent it is no error.
  CHECK(play([](const Transport&, Descriptor& reader) { reader.close(); }) == "made lost(none)");
  CHECK(play([&](const Transport& transport, Descriptor& reader) {
          transport.write(much);
          reader.close();
        }) == "made pause " + broken);
  // And no SIGPIPE.
  CHECK(play([](const Transport& transport, Descriptor& reader) {
          reader.close();
          transport.write("x");
        }) == "made " + broken);
  CHECK(play([&](const Transport& transport, Descriptor&) {
          transport.write(much);
          transport.abort();
        }) == "made pause lost(none)");
}

TEST_CASE("a socket's end may be a pipe's") {
  Log log;
  jumpcut::run([&] {
    auto [one, other] = jumpcut::Socket::pair();
    const auto [transport, protocol] =
        connect_write_pipe(noted(log), Descriptor::adopt(one.release()));
    transport.write("hello");
    CHECK(other.recv(10) == "hello");
    other.send("what is not expected");
    protocol->wait_lost();
  });
  CHECK(log.text() == "made lost(none)");
}

TEST_CASE("files, closed descriptors and null protocols are refused") {
  jumpcut::run([] {
    Log log;
    const auto file = [] { return Descriptor::adopt(open("/etc/passwd", O_RDONLY | O_CLOEXEC)); };
    CHECK_THROWS_WITH(connect_read_pipe(noted(log), file()),
                      Contains("connect_read_pipe") && Contains("File"));
    CHECK_THROWS_AS(connect_write_pipe(noted(log), file()), ValueError);
    CHECK_THROWS_AS(connect_read_pipe(noted(log), Descriptor()), jumpcut::DescriptorClosed);
    CHECK_THROWS_AS(connect_read_pipe([] { return std::shared_ptr<Noted>(); }, make_pipe().reader),
                    ValueError);
    CHECK(log.text().empty());
  });
}

TEST_CASE("a BufferedProtocol has what comes put where it says") {
  Log log;
  jumpcut::run([&] {
    std::array<char, 4> room{};
    auto [one, other] = jumpcut::Socket::pair();
    const auto [transport, protocol] = jumpcut::create_connection(
        [&] { return std::make_shared<Buffered>(log, room); }, std::move(one));
    other.send("sixsix");
    ticks(10);
    other.close();
    await(protocol->lost);
  });
  CHECK(log.text() ==
        "get_buffer(-1) updated(sixs) get_buffer(-1) updated(ix) get_buffer(-1) eof lost(none)");
}

TEST_CASE("a BufferedProtocol without a buffer, or that throws, ends its connection") {
  const auto play = [](std::span<char> room, std::string& text) {
    Log log;
    const std::vector<std::string> reports = reports_of([&] {
      auto [one, other] = jumpcut::Socket::pair();
      const auto [transport, protocol] = jumpcut::create_connection(
          [&] { return std::make_shared<Buffered>(log, room); }, std::move(one));
      protocol->throws = true;
      other.send("x");
      await(protocol->lost);
    });
    text = log.text();
    return reports;
  };
  std::string text;
  std::vector<std::string> reports = play({}, text);
  CHECK(text == "get_buffer(-1) lost(get_buffer() returned an empty buffer)");
  REQUIRE(reports.size() == 1);
  CHECK_THAT(reports[0], Contains("protocol.get_buffer() failed"));
  std::array<char, 4> room{};
  reports = play(room, text);
  CHECK(text == "get_buffer(-1) updated(x) lost(bad data)");
  REQUIRE(reports.size() == 1);
  CHECK_THAT(reports[0], Contains("protocol.buffer_updated() failed"));
}
