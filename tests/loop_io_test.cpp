// jumpcut/loop.hpp: add_reader and add_writer, with real descriptors.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "by_hand.hpp"
#include "child.hpp"
#include "log.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::Handle, jumpcut::Loop, jumpcut::sleep;
using jumpcut::VirtualClock;

namespace {

/// Two descriptors that belong together.
class Ends {
 public:
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close_one(0);
    close_one(1);
  }

  int operator[](std::size_t which) const { return ends_[which]; }
  void close_one(std::size_t which) {
    if (ends_[which] >= 0) close(ends_[which]);
    ends_[which] = -1;
  }
  void send(std::size_t from = 1, const std::string& text = "x") const {
    REQUIRE(write(ends_[from], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  /// What can be read without waiting.
  std::string receive(std::size_t at = 0) const {
    char text[64];
    const ssize_t length = read(ends_[at], text, sizeof text);
    return length < 0 ? std::strerror(errno) : std::string(text, static_cast<std::size_t>(length));
  }

 protected:
  Ends() = default;
  std::array<int, 2> ends_{-1, -1};
};

/// [0] is read, [1] is written.
struct Pipe : Ends {
  Pipe() { REQUIRE(pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0); }
};

struct Pair : Ends {
  Pair() {
    const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    REQUIRE(socketpair(AF_UNIX, type, 0, ends_.data()) == 0);
  }
};

std::string error_of(int code, const std::function<void()>& function) {
  try {
    function();
  } catch (const std::system_error& error) {
    CHECK(error.code().value() == code);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a reader is called in each tick in which there is something to read") {
  Loop loop;
  Pipe pipe;
  Log log;
  loop.add_reader(pipe[0], [&] { log("read"); });
  CHECK(loop.stats().io == 1);
  tick(loop, 2);
  CHECK(log.take().empty());
  pipe.send();
  tick(loop, 3);
  CHECK(log.take() == "read read read");
  CHECK(pipe.receive() == "x");
  tick(loop, 2);
  CHECK(log.take().empty());
  CHECK(loop.remove_reader(pipe[0]));
  CHECK(loop.stats().io == 0);
}

TEST_CASE("a writer is called in each tick in which there is room") {
  Loop loop;
  Pipe pipe;
  Log log;
  loop.add_writer(pipe[1], [&] { log("write"); });
  tick(loop, 2);
  CHECK(log.take() == "write write");
  const std::string much(4096, 'x');
  while (write(pipe[1], much.data(), much.size()) > 0) {
  }
  tick(loop, 2);
  CHECK(log.take().empty());
  for (int i = 0; i < 4096 / 64; ++i) CHECK(pipe.receive().size() == 64);
  tick(loop);
  CHECK(log.take() == "write");
  CHECK(loop.remove_writer(pipe[1]));
  tick(loop);
  CHECK(log.take().empty());
}

TEST_CASE("a loop with nothing else to do waits for its descriptors") {
  VirtualClock clock;
  for (const bool is_virtual : {false, true}) {
    Loop loop({.clock = is_virtual ? &clock : nullptr});
    Pipe pipe;
    Pipe other;
    std::string got;
    loop.add_reader(pipe[0], [&] {
      got = pipe.receive();
      loop.stop();
    });
    loop.add_writer(other[1], [&] {
      loop.remove_writer(other[1]);
      pipe.send(1, "late");
    });
    loop.run_forever();
    CHECK(got == "late");
  }
}

TEST_CASE("a reader and a writer of one descriptor know nothing of each other") {
  Loop loop;
  Pair pair;
  Log log;
  loop.add_writer(pair[0], [&] { log("write"); });
  loop.add_reader(pair[0], [&] { log("read"); });
  CHECK(loop.stats().io == 1);
  tick(loop);
  CHECK(log.take() == "write");
  pair.send();
  tick(loop);
  CHECK(log.take() == "read write");  // reading comes first, as in asyncio
  CHECK(loop.remove_writer(pair[0]));
  tick(loop);
  CHECK(log.take() == "read");
  loop.add_writer(pair[0], [&] { log("write again"); });
  CHECK(loop.remove_reader(pair[0]));
  tick(loop);
  CHECK(log.take() == "write again");
  CHECK(!loop.remove_reader(pair[0]));
  CHECK(loop.remove_writer(pair[0]));
  CHECK(loop.stats().io == 0);
}

TEST_CASE("a second reader replaces the first, which is cancelled and destroyed") {
  Loop loop;
  Pipe pipe;
  Log log;
  int destroyed = 0;
  pipe.send();
  const Handle first =
      loop.add_reader(pipe[0], [&, witness = Witness(destroyed)] { log("first"); });
  tick(loop);
  CHECK(!first.cancelled());
  const Handle second = loop.add_reader(pipe[0], [&] { log("second"); });
  CHECK(first.cancelled());
  CHECK(!second.cancelled());
  CHECK(destroyed == 1);
  tick(loop);
  CHECK(log.take() == "first second");
  CHECK(loop.stats().io == 1);
}

TEST_CASE("a reader may remove, replace or cancel itself while it runs") {
  Loop loop;
  Pipe pipe;
  Log log;
  int destroyed = 0;
  pipe.send();
  const std::string text(100, 't');
  loop.add_reader(pipe[0], [&, text, witness = Witness(destroyed)] {
    CHECK(loop.remove_reader(pipe[0]));
    CHECK(!loop.remove_reader(pipe[0]));
    CHECK(destroyed == 0);
    CHECK(text == std::string(100, 't'));
    log("removed");
  });
  tick(loop, 2);
  CHECK(log.take() == "removed");
  CHECK(destroyed == 1);

  loop.add_reader(pipe[0], [&, text, witness = Witness(destroyed)] {
    loop.add_reader(pipe[0], [&] { log("new"); });
    CHECK(destroyed == 1);
    CHECK(text == std::string(100, 't'));
    log("replaced");
  });
  tick(loop, 3);
  CHECK(log.take() == "replaced new new");
  CHECK(destroyed == 2);

  Handle handle;
  handle = loop.add_reader(pipe[0], [&, text, witness = Witness(destroyed)] {
    handle.cancel();
    CHECK(destroyed == 2);
    CHECK(text == std::string(100, 't'));
    log("cancelled");
  });
  tick(loop, 2);
  CHECK(log.take() == "cancelled");
  CHECK(destroyed == 3);
  CHECK(loop.stats().io == 0);  // the loop saw that nobody is left to call
}

TEST_CASE("a reader that is cancelled by its handle is not called any more") {
  Loop loop;
  Pipe pipe;
  int destroyed = 0;
  pipe.send();
  const Handle handle = loop.add_reader(pipe[0], [witness = Witness(destroyed)] { FAIL(); });
  handle.cancel();
  CHECK(destroyed == 1);
  tick(loop, 2);
  CHECK(!loop.remove_reader(pipe[0]));
}

TEST_CASE("a reader that was removed after it became ready is not called") {
  Loop loop;
  Pipe pipe;
  Log log;
  pipe.send();
  loop.call_soon([&] { loop.remove_reader(pipe[0]); });
  loop.add_reader(pipe[0], [&] { log("read"); });
  tick(loop, 2);  // callbacks that were ready before the poll go first
  CHECK(log.take().empty());

  Pipe second;
  second.send();
  int calls = 0;
  const auto other_goes = [&] {
    ++calls;
    loop.remove_reader(pipe[0]);
    loop.remove_reader(second[0]);
  };
  loop.add_reader(pipe[0], other_goes);
  loop.add_reader(second[0], other_goes);
  tick(loop, 2);
  CHECK(calls == 1);
}

TEST_CASE("one tick calls what was ready, then readers, then timers; what they add comes after") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  Pipe pipe;
  Log log;
  pipe.send();
  loop.call_later(0s, [&] { log("timer"); });
  loop.add_reader(pipe[0], [&] {
    log("read");
    loop.call_soon([&] { log("added"); });
    loop.remove_reader(pipe[0]);
  });
  loop.call_soon([&] {
    log("soon");
    loop.call_soon([&] { log("next"); });
  });
  loop.create_task([&] {
        log("task");
        sleep(0s);
        log("task");
      })
      .detach();
  tick(loop);
  CHECK(log.take() == "soon task read timer");
  tick(loop);
  CHECK(log.take() == "next task added");
}

TEST_CASE("who is always ready keeps no reader from its turn, and a reader keeps nobody from his") {
  Loop loop;
  Pipe pipe;
  pipe.send();
  int reads = 0;
  int turns = 0;
  loop.add_reader(pipe[0], [&] { ++reads; });
  auto task = loop.create_task([&] {
    for (; turns < 1000; ++turns) sleep(0s);
  });
  std::function<void()> again = [&] { loop.call_soon(again); };
  loop.call_soon(again);
  bool late = false;
  loop.call_later(0s, [&] { late = true; });
  loop.run_until_complete(task);
  CHECK(turns == 1000);
  CHECK(reads >= 999);
  CHECK(reads <= 1002);
  CHECK(late);
}

TEST_CASE("more descriptors than one look reports all have their turn") {
  Loop loop;
  constexpr int count = 600;
  std::vector<int> reads(count);
  std::vector<int> events;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit limit = before;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, 2000);
  setrlimit(RLIMIT_NOFILE, &limit);
  for (std::size_t i = 0; i < count; ++i) {
    events.push_back(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    REQUIRE(events.back() >= 0);
    loop.add_reader(events.back(), [&reads, i] { ++reads[i]; });
  }
  tick(loop, 3 * 5);
  for (const int one : reads) CHECK(one >= 3);
  for (const int one : events) {
    loop.remove_reader(one);
    close(one);
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("the end of what can be read is something to read") {
  Loop loop;
  Pipe pipe;
  Log log;
  loop.add_reader(pipe[0], [&] { log("'" + pipe.receive() + "'"); });
  pipe.send(1, "last");
  pipe.close_one(1);
  tick(loop, 3);
  CHECK(log.take() == "'last' '' ''");

  Pair pair;
  loop.add_reader(pair[0], [&] { log("'" + pair.receive() + "'"); });
  loop.remove_reader(pipe[0]);
  REQUIRE(shutdown(pair[1], SHUT_WR) == 0);
  tick(loop);
  CHECK(log.take() == "''");
  pair.send(0, "back");  // the other direction is open
  CHECK(pair.receive(1) == "back");
}

TEST_CASE("a hang-up and an error reach the reader and the writer") {
  Loop loop;
  Log log;
  {
    Pipe pipe;
    loop.add_writer(pipe[1], [&] { log("broken pipe"); });
    const std::string much(4096, 'x');
    while (write(pipe[1], much.data(), much.size()) > 0) {
    }
    tick(loop);
    CHECK(log.take().empty());
    pipe.close_one(0);
    tick(loop);
    CHECK(log.take() == "broken pipe");
    loop.remove_writer(pipe[1]);
  }
  Pair pair;
  loop.add_reader(pair[0], [&] { log("read"); });
  loop.add_writer(pair[0], [&] { log("write"); });
  pair.send(0);
  pair.close_one(1);  // with something unread: a reset
  tick(loop);
  CHECK(log.take() == "read write");
  CHECK(pair.receive() == std::strerror(ECONNRESET));
  CHECK(pair.receive().empty());
  tick(loop);
  CHECK(log.take() == "read write");
}

TEST_CASE("what can't be watched is refused by name, and what was watched stays so") {
  Loop loop;
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  int destroyed = 0;
  CHECK_THAT(
      error_of(EPERM, [&] { loop.add_reader(file, [witness = Witness(destroyed)] { FAIL(); }); }),
      Contains("regular files and directories can't be watched"));
  CHECK(destroyed == 1);
  CHECK(!loop.remove_reader(file));
  close(file);
  CHECK_THAT(error_of(EBADF, [&] { loop.add_writer(file, [] { FAIL(); }); }),
             Contains("descriptor " + std::to_string(file) + ", which is not open"));
  CHECK_THAT(error_of(EBADF, [&] { loop.add_reader(-1, [] { FAIL(); }); }),
             Contains("descriptor -1"));
  CHECK(!loop.remove_reader(-1));
  CHECK(!loop.remove_writer(-1));
  CHECK(loop.stats().io == 0);

  Pipe pipe;
  Log log;
  pipe.send();
  const Handle before = loop.add_reader(pipe[0], [&] { log("read"); });
  const int number = pipe[0];
  const int kept = dup(number);
  close(number);
  // The descriptor is not open, so there can't be another reader; the old one is still told of
  // what the copy holds open.
  error_of(EBADF, [&] { loop.add_reader(number, [] { FAIL(); }); });
  CHECK(!before.cancelled());
  tick(loop);
  CHECK(log.take() == "read");
  REQUIRE(dup2(kept, number) == number);
  close(kept);
}

TEST_CASE("who closed a descriptor can still remove it, and its number can be watched anew") {
  Loop loop;
  Log log;
  Pipe first;
  const int number = first[0];
  loop.add_reader(number, [&] { log("first"); });
  first.close_one(0);
  CHECK(loop.remove_reader(number));
  CHECK(loop.stats().io == 0);
  Pipe second;
  REQUIRE(second[0] == number);
  second.send();
  loop.add_reader(number, [&] { log("second"); });
  tick(loop);
  CHECK(log.take() == "second");
}

TEST_CASE("a number that is another descriptor by now calls nobody who was there for the old one") {
  Loop loop;
  Log log;
  auto first = std::make_unique<Pair>();
  const int number = (*first)[0];
  const Handle reader = loop.add_reader(number, [&] { log("old reader"); });
  const Handle writer = loop.add_writer(number, [&] { log("old writer"); });
  first.reset();  // without remove_reader() and remove_writer()
  Pair second;
  REQUIRE(second[0] == number);
  second.send();
  tick(loop);
  CHECK(log.take().empty());
  loop.add_reader(number, [&] { log("new reader"); });
  CHECK(reader.cancelled());
  CHECK(writer.cancelled());
  tick(loop);
  CHECK(log.take() == "new reader");
  loop.add_writer(number, [&] { log("new writer"); });
  tick(loop);
  CHECK(log.take() == "new reader new writer");
}

TEST_CASE("events of a descriptor that lives on under another number don't reach its successor") {
  Loop loop;
  Log log;
  Pipe first;
  const int number = first[0];
  loop.add_reader(number, [&] { log("old"); });
  const int copy = dup(number);
  first.close_one(0);
  Pipe second;
  REQUIRE(second[0] == number);
  loop.add_reader(number, [&] { log("new"); });
  first.send();
  tick(loop, 2);
  CHECK(log.take().empty());
  second.send();
  tick(loop);
  CHECK(log.take() == "new");
  close(copy);
}

TEST_CASE("a callback that throws is reported, and called again") {
  Loop loop;
  Pipe pipe;
  pipe.send();
  std::vector<std::string> told;
  loop.set_exception_handler(
      [&](const jumpcut::ErrorContext& context) { told.push_back(context.describe()); });
  loop.add_reader(pipe[0], [] { throw std::runtime_error("bad"); });
  tick(loop, 2);
  CHECK(told == std::vector<std::string>(2, "Exception in add_reader: bad"));
  loop.remove_reader(pipe[0]);
}

TEST_CASE("a task waits for a descriptor by a future that a reader sets") {
  VirtualClock clock;
  jumpcut::run(
      [] {
        Pair pair;
        Loop& loop = jumpcut::get_running_loop();
        const auto wait_readable = [&](int fd) {
          jumpcut::Future<> ready;
          loop.add_reader(fd, [&, fd, ready] {
            loop.remove_reader(fd);
            ready.set_result();
          });
          await(ready);
        };
        auto answer = create_task([&] {
          wait_readable(pair[1]);
          pair.send(1, pair.receive(1) + ", and back");
        });
        sleep(1s);
        pair.send(0, "there");
        wait_readable(pair[0]);
        CHECK(pair.receive() == "there, and back");
        await(answer);
      },
      {.clock = &clock});
}

TEST_CASE("a loop that can't have its descriptors says which limit it hit, and by which call") {
  const Ended ended = in_child([] {
    // Room for no descriptor, then for one.
    for (int more = 0; more < 2; ++more) {
      rlimit limit{};
      getrlimit(RLIMIT_NOFILE, &limit);
      limit.rlim_cur = static_cast<rlim_t>(dup(0) + more);
      close(static_cast<int>(limit.rlim_cur) - more);
      setrlimit(RLIMIT_NOFILE, &limit);
      try {
        const Loop loop;
      } catch (const jumpcut::ResourceError& error) {
        std::printf("%s\n", error.what());
      }
      limit.rlim_cur = limit.rlim_max;
      setrlimit(RLIMIT_NOFILE, &limit);
    }
    jumpcut::run([] { sleep(1ms); });
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Contains("eventfd: all") && Contains("epoll_create1: all") &&
                               Contains("RLIMIT_NOFILE") && Contains("ulimit -n"));
}
