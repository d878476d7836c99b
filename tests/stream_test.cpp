// jumpcut/stream.hpp: reading by bytes, separators and lines, and writing through a buffer.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "log.hpp"
#include "sockets.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::DescriptorClosed;
using jumpcut::IncompleteReadError, jumpcut::LimitOverrunError, jumpcut::RuntimeError;
using jumpcut::run, jumpcut::sleep, jumpcut::Socket, jumpcut::Stream, jumpcut::StreamOptions;
using jumpcut::ValueError;

namespace {

/// A stream, and the socket at its other end.
struct Both {
  Stream stream;
  Socket peer;
};

Both both(const StreamOptions& options = {}) {
  auto [a, b] = Socket::pair();
  return {Stream(std::move(a), options), std::move(b)};
}

/// What stands after `text` was all that came.
Both with(std::string_view text, const StreamOptions& options = {}) {
  Both ends = both(options);
  ends.peer.sendall(text);
  ends.peer.shutdown(jumpcut::Shutdown::writing);
  return ends;
}

}  // namespace

TEST_CASE("read returns what has come, up to so much, and nothing at the end") {
  run([] {
    auto [stream, peer] = both();
    peer.send("hello");
    CHECK(stream.read(3) == "hel");
    CHECK(stream.read(0).empty());
    CHECK(stream.read(100) == "lo");
    CHECK(!stream.at_eof());
    auto reader = create_task([&, &stream = stream] { return stream.read(100); });
    sleep(0s);
    peer.send("more");
    CHECK(await(reader) == "more");
    peer.close();
    CHECK(stream.read(100).empty());
    CHECK(stream.at_eof());
    CHECK(stream.read(100).empty());
  });
}

TEST_CASE("read_into puts what has come into memory of the caller's, and needs none") {
  run([] {
    auto [stream, peer] = both();
    std::array<char, 8> room{};
    const auto next = [&, &stream = stream] {
      return std::string(room.data(), stream.read_into(room));
    };
    peer.send("line\nhello");
    CHECK(stream.read_line() == "line\n");
    CHECK(std::string(room.data(), stream.read_into(std::span(room).first(2))) == "he");
    CHECK(stream.read_into({}) == 0);
    CHECK(!stream.at_eof());
    CHECK(next() == "llo");
    auto reader = create_task(next);
    sleep(0s);
    CHECK_THROWS_WITH(next(), Contains("read_into: another task waits"));
    peer.send("more than it takes");
    CHECK(await(reader) == "more tha");
    CHECK(next() == "n it tak");
    CHECK(stream.read(100) == "es");

    room.fill('-');
    reader = create_task(next);
    sleep(0s);
    reader.cancel();
    CHECK_THROWS_AS(await(reader), Cancelled);
    peer.send("kept");
    CHECK(std::string_view(room.data(), room.size()) == "--------");
    CHECK(next() == "kept");

    peer.close();
    CHECK(next().empty());
    CHECK(stream.at_eof());
    CHECK(next().empty());
  });
}

TEST_CASE("read_into of a pipe, of a stream that is closed meanwhile, and of one that is reset") {
  run([] {
    std::array<char, 8> room{};
    auto [end, writer] = jumpcut::make_pipe();
    Stream reading(std::move(end));
    writer.write("pipe");
    writer.close();
    CHECK(reading.read_into(room) == 4);
    CHECK(reading.read_into(room) == 0);

    auto [stream, peer] = both();
    auto reader = create_task([&, &stream = stream] { return stream.read_into(room); });
    sleep(0s);
    stream.close();
    CHECK(await(reader) == 0);

    auto [client, server] = connection();
    Stream reset(std::move(client));
    const linger none{1, 0};
    REQUIRE(setsockopt(server.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
    server.close();
    std::string text;
    CHECK(error_of([&] { reset.read_into(room); }, &text) == ECONNRESET);
    CHECK_THAT(text, Contains("read_into on descriptor"));
  });
}

TEST_CASE("a stream reads on where one read does not return all: terminals, packets, urgent data") {
  // Written while the reader waits, so that it is told of all at once.
  const auto reads_both = [](Stream stream, auto write_both) {
    auto reader = create_task([&] {
      const std::string first = stream.read_line();
      return first + stream.read_line();
    });
    sleep(1ms);
    write_both();
    CHECK(jumpcut::timeout(10s, [&] { return await(reader); }) == "one\ntwo\n");
  };
  run([&] {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(master >= 0);
    REQUIRE(grantpt(master) == 0);
    REQUIRE(unlockpt(master) == 0);
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    reads_both(Stream(jumpcut::Descriptor::adopt(terminal)),
               [&] { REQUIRE(write(master, "one\ntwo\n", 8) == 8); });
    close(master);

    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_DIRECT) == 0);
    jumpcut::Descriptor writer = jumpcut::Descriptor::adopt(ends[1]);
    reads_both(Stream(jumpcut::Descriptor::adopt(ends[0])),
               [&] { writer.write("one\n"), writer.write("two\n"); });

    for (const bool adopted : {false, true}) {
      auto [a, b] = Socket::pair(jumpcut::SocketType::seqpacket);
      reads_both(Stream(adopted ? Socket::adopt(b.release()) : std::move(b)),
                 [&, &a = a] { a.send("one\n"), a.send("two\n"); });
    }

    Connection tcp = connection();
    reads_both(Stream(std::move(tcp.server)), [&] {
      tcp.client.send("one\n");
      tcp.client.send("!", MSG_OOB);
      tcp.client.send("two\n");
    });
  });
}

TEST_CASE("read without a number returns all until the end") {
  run([] {
    const std::string all = pattern(1'000'000);
    auto [stream, peer] = both();
    auto sender = create_task([&, &peer = peer] { peer.sendall(all), peer.close(); });
    CHECK((stream.read() == all));
    CHECK(stream.read().empty());
    await(sender);
  });
}

TEST_CASE("read_exactly returns so much, or throws what there was") {
  run([] {
    auto [stream, peer] = with("abcdefgh");
    CHECK(stream.read_exactly(3) == "abc");
    CHECK(stream.read_exactly(0).empty());
    try {
      stream.read_exactly(10);
      FAIL("it returned");
    } catch (const IncompleteReadError& error) {
      CHECK(error.partial() == "defgh");
      CHECK(error.expected() == 10);
      CHECK(error.what() == std::string("5 bytes were read on a total of 10 expected bytes"));
    }
    CHECK(stream.at_eof());
  });
}

TEST_CASE("read_until returns up to the separator, and it, however it comes") {
  run([] {
    auto [stream, peer] = both();
    auto reader = create_task([&, &stream = stream] { return stream.read_until("<end>"); });
    for (const char* part : {"on", "e<", "en", "d", ">two<end>rest"}) peer.send(part), sleep(0s);
    CHECK(await(reader) == "one<end>");
    CHECK(stream.read_until("<end>") == "two<end>");
    peer.close();
    try {
      stream.read_until("<end>");
      FAIL("it returned");
    } catch (const IncompleteReadError& error) {
      CHECK(error.partial() == "rest");
      CHECK(!error.expected().has_value());
      CHECK_THAT(error.what(), Contains("4 bytes were read on a total of undefined"));
    }
    CHECK_THROWS_AS(stream.read_until(""), ValueError);
  });
}

TEST_CASE("of several separators, the one that ends first counts, then the longer") {
  run([] {
    auto [stream, peer] = with("a\r\nb\nc--d\n--");
    const std::array<std::string_view, 3> any{"\n", "\r\n", "--"};
    CHECK(stream.read_until(any) == "a\r\n");
    CHECK(stream.read_until(any) == "b\n");
    CHECK(stream.read_until(any) == "c--");
    const std::array<std::string_view, 2> overlapping{"\n-", "d\n--"};
    CHECK(stream.read_until(overlapping) == "d\n-");
    CHECK_THROWS_AS(stream.read_until(std::span<const std::string_view>()), ValueError);
    CHECK_THROWS_AS(stream.read_until(any), IncompleteReadError);
  });
}

TEST_CASE("read_until keeps what exceeds its limit") {
  run([] {
    StreamOptions options;
    options.limit = 8;
    auto [stream, peer] = with("0123456789<end>01234567<end>", options);
    try {
      stream.read_until("<end>");
      FAIL("it returned");
    } catch (const LimitOverrunError& error) {
      CHECK(error.consumed() == 10);
      CHECK_THAT(error.what(), Contains("separator is found, but"));
    }
    CHECK(stream.read_exactly(15) == "0123456789<end>");
    CHECK(stream.read_until("<end>") == "01234567<end>");

    auto [longest, peer_of_longest] = with("0123456789ab", options);
    CHECK_THROWS_AS(longest.read_until("<end>"), IncompleteReadError);
    auto [endless, peer_of_endless] = with("0123456789abc", options);
    try {
      endless.read_until("<end>");
      FAIL("it returned");
    } catch (const LimitOverrunError& error) {
      CHECK(error.consumed() == 9);
      CHECK_THAT(error.what(), Contains("no separator is found"));
    }
  });
}

TEST_CASE("read_line takes lines, the last without its end, and drops those that are too long") {
  run([] {
    StreamOptions options;
    options.limit = 8;
    auto [stream, peer] = with("one\n\ntwo\nmuch too long\nnext\nlast", options);
    CHECK(stream.read_line() == "one\n");
    CHECK(stream.read_line() == "\n");
    CHECK(stream.read_line() == "two\n");
    CHECK_THROWS_WITH(stream.read_line(), Contains("read_line") && Contains("limit"));
    CHECK(stream.read_line() == "next\n");
    CHECK(stream.read_line() == "last");
    CHECK(stream.read_line().empty());
    CHECK(stream.at_eof());
  });
}

TEST_CASE("read_until_into and read_line_into use a string's memory again") {
  run([] {
    StreamOptions options;
    options.limit = 40;
    auto [stream, peer] = both(options);
    std::string text(30, '-');
    const char* const memory = text.data();
    peer.send("one<end>two<en");
    stream.read_until_into(text, "<end>");
    CHECK(text == "one<end>");
    auto reader = create_task([&, &stream = stream] { stream.read_until_into(text, "<end>"); });
    sleep(0s);
    CHECK_THROWS_WITH(stream.read_line_into(text), Contains("read_line_into: another task"));
    reader.cancel();
    CHECK_THROWS_AS(await(reader), Cancelled);
    CHECK(text == "one<end>");  // nothing is put there before it returns
    peer.send("d>line\n\nlast");
    stream.read_until_into(text, "<end>");
    CHECK(text == "two<end>");
    CHECK(stream.read_line_into(text));
    CHECK(text == "line\n");
    CHECK(stream.read_line_into(text));
    CHECK(text == "\n");
    CHECK(text.data() == memory);
    CHECK_THROWS_WITH(stream.read_until_into(text, ""), Contains("read_until_into: a separator"));
    peer.close();
    CHECK(stream.read_line_into(text));
    CHECK(text == "last");
    CHECK_FALSE(stream.read_line_into(text));
    CHECK(text.empty());
    CHECK_THROWS_AS(stream.read_until_into(text), IncompleteReadError);
    CHECK_THROWS_WITH(Stream().read_line_into(text), Contains("read_line_into on a stream that"));

    auto [long_one, long_peer] = with(std::string(50, 'x') + "\ny\n", options);
    CHECK_THROWS_WITH(long_one.read_line_into(text),
                      Contains("read_line_into: ") && Contains("limit"));
    CHECK(long_one.read_line_into(text));
    CHECK(text == "y\n");
  });
}

TEST_CASE("a separator is found wherever it is, for all short texts over three letters") {
  // Against the standard library's find(), with each text sent at once and cut in two.
  std::vector<std::string> words{""};
  for (std::size_t i = 0; words[i].size() < 6; ++i) {
    for (const char letter : {'a', 'b', 'c'}) words.push_back(words[i] + letter);
  }
  run([&] {
    auto [stream, peer] = both();
    for (const std::string separator : {"a", "ab", "aa", "aba", "abc", "aabb"}) {
      for (const std::string& word : words) {
        const std::string text = word + '/' + separator;
        const std::size_t cut = word.size() / 2;
        auto reader = create_task([&, &stream = stream] { return stream.read_until(separator); });
        if (cut > 0) peer.send(text.substr(0, cut)), sleep(0s), sleep(0s);
        peer.send(text.substr(cut));
        const std::string found = await(reader);
        REQUIRE(found == text.substr(0, text.find(separator) + separator.size()));
        if (found != text) stream.read_exactly(text.size() - found.size());
      }
    }
  });
}

TEST_CASE("for takes a stream's lines until the end") {
  run([] {
    auto [stream, peer] = with("a\nb\n\nlast");
    std::vector<std::string> lines;
    for (std::string& line : stream) lines.push_back(std::move(line));
    CHECK(lines == std::vector<std::string>{"a\n", "b\n", "\n", "last"});
  });
}

TEST_CASE("a read that is cancelled loses nothing, and a second reader is refused") {
  run([] {
    auto [stream, peer] = both();
    auto reader = create_task([&, &stream = stream] { stream.read_exactly(4); });
    sleep(0s);
    peer.send("ab");
    sleep(0s), sleep(0s);
    CHECK_THROWS_WITH(stream.read(1), Contains("read: another task waits"));
    reader.cancel();
    CHECK_THROWS_AS(await(reader), Cancelled);
    peer.send("cd");
    CHECK(stream.read_exactly(4) == "abcd");
  });
}

TEST_CASE("write waits above the high-water mark until no more than the low one is unsent") {
  run([] {
    StreamOptions options;
    options.high_water = 100'000;
    options.low_water = 10'000;
    auto [stream, peer] = both(options);
    const std::string all = pattern(3'000'000);
    std::size_t left_after_write = all.size();
    auto writer = create_task([&, &stream = stream] {
      stream.write(all);
      left_after_write = stream.write_buffer_size();
    });
    sleep(0s);
    CHECK(stream.write_buffer_size() > options.high_water);
    CHECK(!writer.done());
    std::string received;
    while (received.size() < all.size()) received += peer.recv(50'000);
    await(writer);
    CHECK((received == all));
    CHECK(left_after_write <= options.low_water);
    CHECK(stream.write_buffer_size() == 0);
  });
}

TEST_CASE("write below the high-water mark does not wait, and all is sent in order") {
  run([] {
    StreamOptions options;
    options.high_water = 10'000'000;
    auto [stream, peer] = both(options);
    bool other_ran = false;
    auto other = create_task([&] { other_ran = true; });
    std::string all;
    for (int i = 0; i < 30; ++i) {
      const std::string part = std::to_string(i) + pattern(50'000);
      stream.write(part), all += part;
    }
    CHECK(!other_ran);
    CHECK(stream.write_buffer_size() > 0);
    stream.drain();
    CHECK(!other_ran);
    stream.write_eof();
    CHECK_THROWS_AS(stream.write("x"), RuntimeError);
    const std::string received = receive_all(peer, 50'000);
    CHECK((received == all));
    peer.send("reading goes on");
    CHECK(stream.read(100) == "reading goes on");
    await(other);
  });
}

TEST_CASE("a write that is cancelled while it waits is sent all the same") {
  run([] {
    auto [stream, peer] = both();
    const std::string all = pattern(2'000'000);
    auto writer = create_task([&, &stream = stream] { stream.write(all); });
    sleep(0s);
    writer.cancel();
    CHECK_THROWS_AS(await(writer), Cancelled);
    stream.close();
    CHECK(stream.is_closing());
    const std::string received = receive_all(peer, 50'000);
    CHECK((received == all));
    stream.wait_closed();
    CHECK(!stream.socket().is_open());
  });
}

TEST_CASE("a stream that is destroyed sends what is left; one that is aborted drops it") {
  run([] {
    StreamOptions options;
    options.high_water = 10'000'000;
    const std::string all = pattern(2'000'000);
    for (const bool abort : {false, true}) {
      auto ends = std::make_unique<Both>(both(options));
      Socket peer = std::move(ends->peer);
      ends->stream.write(all);
      if (abort) ends->stream.abort();
      ends.reset();
      const std::string received = receive_all(peer, 50'000);
      CHECK((received == all) == !abort);
    }
  });
}

TEST_CASE("what sending failed with is thrown by the write that waits, and by all that follow") {
  run([] {
    auto [stream, peer] = both();
    auto writer = create_task([&, &stream = stream] { stream.write(pattern(2'000'000)); });
    sleep(0s);
    peer.close();
    CHECK(error_of([&] { await(writer); }) == EPIPE);
    CHECK(error_of([&, &stream = stream] { stream.write("x"); }) == EPIPE);
    CHECK(error_of([&, &stream = stream] { stream.drain(); }) == EPIPE);
    stream.close();
    CHECK(error_of([&, &stream = stream] { stream.wait_closed(); }) == EPIPE);
    CHECK(stream.write_buffer_size() == 0);
  });
}

TEST_CASE("a stream whose writer ends before it began says so, and nobody waits for it") {
  run([] {
    auto [stream, peer] = both();
    auto writer = create_task([&, &stream = stream] { stream.write(pattern(2'000'000)); });
    stream.write("x");
    sleep(0s);
    for (const jumpcut::AnyTask& task : jumpcut::all_tasks()) {
      if (task.name() == "stream writer") task.cancel();
    }
    CHECK(error_of([&] { await(writer); }) == ECANCELED);
    stream.close();
    CHECK(error_of([&, &stream = stream] { stream.wait_closed(); }) == ECANCELED);
  });
}

TEST_CASE("a stream that is closed refuses to be written to, and is at its end for who reads") {
  run([] {
    auto [stream, peer] = both();
    auto reader = create_task([&, &stream = stream] { return stream.read(1); });
    sleep(0s);
    CHECK_THROWS_AS(stream.wait_closed(), RuntimeError);
    stream.close();
    stream.close();
    CHECK(await(reader).empty());
    CHECK_THROWS_AS(stream.write("x"), DescriptorClosed);
    CHECK(stream.read(1).empty());
    CHECK(stream.at_eof());
    CHECK_THROWS_AS(stream.read_exactly(3), jumpcut::IncompleteReadError);
    stream.wait_closed();
    Stream none;
    none.close();
    CHECK(none.is_closing());
    CHECK_THROWS_AS(none.read(1), DescriptorClosed);
    StreamOptions wrong;
    wrong.high_water = 1;
    CHECK_THROWS_AS(both(wrong), ValueError);
  });
}

TEST_CASE("open_connection connects to a numeric host, open_unix_connection to a path") {
  run([] {
    for (const char* host : {"127.0.0.1", "::1"}) {
      Socket listening = listener(host);
      Stream client = jumpcut::open_connection(host, listening.getsockname().port());
      CHECK(client.socket().getsockopt(IPPROTO_TCP, TCP_NODELAY) == 1);
      Stream server(listening.accept().first);
      client.write("ping\n");
      CHECK(server.read_line() == "ping\n");
      server.write("pong\n");
      CHECK(client.read_line() == "pong\n");
    }
    Socket listening(jumpcut::AddressFamily::local);
    const std::string name = std::string("\0jumpcut-stream-", 16) + std::to_string(getpid());
    listening.bind(jumpcut::Address::local(name));
    listening.listen();
    Stream client = jumpcut::open_unix_connection(name);
    client.write("x");
    CHECK(listening.accept().first.recv(10) == "x");
  });
}

TEST_CASE("a stream may go while tasks wait for room in it, and what they wrote is sent") {
  run([] {
    auto [mine, theirs] = jumpcut::Socket::pair();
    auto stream = std::make_unique<Stream>(std::move(mine));
    const std::string text(4'000'000, 'x');
    const auto writing = create_task([&] { stream->write(text); });
    const auto draining = create_task([&] {
      jumpcut::sleep(std::chrono::seconds(0));
      stream->drain();
    });
    for (int i = 0; i < 3; ++i) jumpcut::sleep(std::chrono::seconds(0));
    stream = nullptr;
    CHECK(receive_all(theirs, 64 * 1024) == text);
    await(writing);
    await(draining);
  });
}
