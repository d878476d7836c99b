// jumpcut/wait_fd.hpp: tasks that wait for descriptors, and what closing one of them does.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "log.hpp"
#include "signal_storm.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::DescriptorClosed;
using jumpcut::get_running_loop, jumpcut::run, jumpcut::sleep, jumpcut::wait_readable;
using jumpcut::wait_writable;

namespace {

/// Two ends that talk to each other.
struct Ends {
  Ends() {
    const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    REQUIRE(socketpair(AF_UNIX, type, 0, ends.data()) == 0);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close_one(0);
    close_one(1);
  }
  int operator[](std::size_t which) const { return ends[which]; }
  void close_one(std::size_t which) {
    if (ends[which] >= 0) close(ends[which]);
    ends[which] = -1;
  }
  void send(std::size_t from = 1) const { REQUIRE(write(ends[from], "x", 1) == 1); }
  char receive(std::size_t at = 0) const {
    char byte = 0;
    return read(ends[at], &byte, 1) == 1 ? byte : '-';
  }
  void fill(std::size_t from = 0) const {
    std::array<char, 4096> bytes{};
    while (write(ends[from], bytes.data(), bytes.size()) > 0) {
    }
  }
  void drain(std::size_t at = 1) const {
    std::array<char, 4096> bytes;
    while (read(ends[at], bytes.data(), bytes.size()) > 0) {
    }
  }

  std::array<int, 2> ends{-1, -1};
};

std::size_t watched() {
  return get_running_loop().stats().io;
}

}  // namespace

TEST_CASE("wait_readable returns once there is something to read") {
  run([] {
    const Ends pair;
    Log log;
    auto reader = create_task([&] {
      wait_readable(pair[0]);
      log(std::string("read ") + pair.receive());
    });
    sleep(0s);
    CHECK(watched() == 1);
    log("send");
    pair.send();
    await(reader);
    CHECK(log.text() == "send read x");
    CHECK(watched() == 0);
  });
}

TEST_CASE("wait_readable and wait_writable don't switch if it is so already") {
  run([] {
    const Ends pair;
    bool other_ran = false;
    auto other = create_task([&] { other_ran = true; });
    pair.send();
    wait_readable(pair[0]);
    wait_writable(pair[0]);
    std::FILE* file = std::tmpfile();
    wait_readable(fileno(file));  // regular files always are
    std::fclose(file);
    CHECK(!other_ran);
    await(other);
  });
}

TEST_CASE("wait_writable returns once there is room") {
  run([] {
    const Ends pair;
    pair.fill();
    bool written = false;
    auto writer = create_task([&] { wait_writable(pair[0]), written = true; });
    sleep(0s);
    CHECK(!written);
    pair.drain();
    await(writer);
    CHECK(written);
  });
}

TEST_CASE("the end of what is read, and an error, are what wait_readable waits for too") {
  run([] {
    Ends pair;
    auto reader = create_task([&] { wait_readable(pair[0]); });
    auto writer = create_task([&] { pair.fill(), wait_writable(pair[0]); });
    sleep(0s);
    pair.close_one(1);
    await(reader), await(writer);
    CHECK(pair.receive() == '-');
  });
}

TEST_CASE("tasks that wait for one descriptor share it, and are woken in the order they came") {
  run([] {
    const Ends pair;
    pair.fill();
    Log log;
    auto a = create_task([&] { wait_readable(pair[0]), log("a"); });
    auto b = create_task([&] { wait_readable(pair[0]), log("b"); });
    auto w = create_task([&] { wait_writable(pair[0]), log("w"); });
    sleep(0s);
    CHECK(watched() == 1);
    pair.send();
    await(a), await(b);
    CHECK(log.take() == "a b");
    CHECK(watched() == 1);
    pair.drain();
    await(w);
    CHECK(watched() == 0);
  });
}

TEST_CASE("callbacks and tasks may wait for the same descriptor") {
  run([] {
    const Ends pair;
    int calls = 0;
    get_running_loop().add_reader(pair[0], [&] { ++calls; });
    auto reader = create_task([&] { wait_readable(pair[0]); });
    sleep(0s);
    pair.send();
    await(reader);
    CHECK(calls > 0);
    CHECK(watched() == 1);
    CHECK(get_running_loop().remove_reader(pair[0]));
    CHECK(watched() == 0);
  });
}

TEST_CASE("a wait that is cancelled or timed out leaves nothing registered, and loses nothing") {
  run([] {
    const Ends pair;
    auto gone = create_task([&] { wait_readable(pair[0]); });
    auto stays = create_task([&] { wait_readable(pair[0]); });
    sleep(0s);
    gone.cancel();
    CHECK_THROWS_AS(await(gone), Cancelled);
    CHECK(watched() == 1);
    pair.send();
    await(stays);
    CHECK(pair.receive() == 'x');
    CHECK_THROWS_AS(jumpcut::timeout(1ns, [&] { wait_readable(pair[0]); }), jumpcut::TimeoutError);
    CHECK(watched() == 0);
    pair.send();
    wait_readable(pair[0]);
  });
}

TEST_CASE("of readiness and a deadline in one turn, what was ready counts") {
  run([] {
    const Ends pair;
    Log log;
    auto reader = create_task([&] {
      log.outcome("read", [&] { jumpcut::timeout(1ms, [&] { wait_readable(pair[0]); }); });
    });
    sleep(0s);
    // When the loop next looks, both are so.
    const auto late = get_running_loop().time() + 2ms;
    while (get_running_loop().time() < late) {
    }
    pair.send();
    await(reader);
    CHECK(log.text() == "read-ok");
    CHECK(pair.receive() == 'x');
    CHECK(watched() == 0);
  });
}

TEST_CASE("notify_closing ends the waits for a descriptor, and its number can be waited for anew") {
  run([] {
    Ends first;
    Log log;
    const int number = first[0];
    int calls = 0;
    get_running_loop().add_reader(number, [&] { ++calls; });
    auto reader = create_task([&] { log.outcome("old", [&] { wait_readable(number); }); });
    sleep(0s);
    jumpcut::notify_closing(number);
    first.close_one(0);
    CHECK(watched() == 0);
    const Ends second;
    REQUIRE(second[0] == number);
    auto anew = create_task([&] { log.outcome("new", [&] { wait_readable(number); }); });
    await(reader);
    CHECK_THAT(log.take(), Contains("old-wait_readable on descriptor " + std::to_string(number) +
                                    ": it was closed meanwhile"));
    second.send();
    await(anew);
    CHECK(log.take() == "new-ok");
    CHECK(calls == 0);
  });
}

TEST_CASE("who was told in the same turn that another then closed its descriptor learns of that") {
  run([] {
    Ends first;
    Ends second;
    Log log;
    int replacement = -1;
    // Whichever of the two goes on first closes the other's.
    const auto reader = [&](Ends& mine, Ends& others) {
      return create_task([&] {
        log.outcome("read", [&] { wait_readable(mine[0]); });
        if (replacement >= 0) return;
        const int number = others[0];
        jumpcut::notify_closing(number);
        others.close_one(0);
        replacement = dup(mine[0]);
        CHECK(replacement == number);
      });
    };
    auto a = reader(first, second);
    auto b = reader(second, first);
    sleep(0s);
    first.send(), second.send();
    await(a), await(b);
    CHECK_THAT(log.text(), Contains("read-ok") && Contains("it was closed meanwhile"));
    close(replacement);
  });
}

TEST_CASE(
    "the readiness of a file that had the number before wakes nobody, while a copy holds it") {
  run([] {
    Ends first;
    Log log;
    const int number = first[0];
    const int copy = dup(number);
    auto old = create_task([&] { log.outcome("old", [&] { wait_readable(number); }); });
    sleep(0s);
    first.close_one(0);  // without a word
    const Ends second;
    REQUIRE(second[0] == number);
    auto anew = create_task([&] { log.outcome("new", [&] { wait_readable(number); }); });
    await(old);  // the number is another's: nobody would ever wake it
    CHECK_THAT(log.take(), Contains("closed meanwhile"));
    first.send();  // reported for the copy's sake
    for (int i = 0; i < 10; ++i) sleep(0s);
    CHECK(log.take().empty());
    second.send();
    await(anew);
    CHECK(log.take() == "new-ok");
    close(copy);
  });
}

TEST_CASE("signals in plenty end no wait early") {
  const SignalStorm storm(std::chrono::microseconds(50));
  run([] {
    const Ends pair;
    auto echo = create_task([&] {
      for (int i = 0; i < 1000; ++i) {
        wait_readable(pair[1]);
        REQUIRE(pair.receive(1) == 'x');
        pair.send(1);
      }
    });
    for (int i = 0; i < 1000; ++i) {
      pair.send(0);
      wait_readable(pair[0]);
      REQUIRE(pair.receive(0) == 'x');
    }
    await(echo);
  });
}

TEST_CASE("what can't be waited for is refused by name") {
  CHECK_THROWS_AS(wait_readable(0), jumpcut::RuntimeError);
  CHECK_THROWS_AS(jumpcut::notify_closing(0), jumpcut::RuntimeError);
  run([] {
    for (const int number : {-1, 1 << 30}) {
      CHECK_THROWS_WITH(wait_readable(number),
                        Contains("wait_readable on descriptor " + std::to_string(number) +
                                 ", which is not open"));
    }
    jumpcut::notify_closing(-1);
    jumpcut::notify_closing(1 << 30);
    CHECK(watched() == 0);
  });
}

TEST_CASE("a loop that ends cancels tasks that wait for a descriptor") {
  const Ends pair;
  Log log;
  run([&] {
    jumpcut::create_task([&] { log.outcome("reader", [&] { wait_readable(pair[0]); }); }).detach();
    sleep(0s);
  });
  CHECK(log.text() == "reader-cancelled");
}
