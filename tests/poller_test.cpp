// lib/loop/poller.hpp: what is ready is reported, for as long as it is, and no wait is too short.

#include "loop/poller.hpp"

#include <jumpcut/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "pair.hpp"
#include "signal_storm.hpp"

using jumpcut::impl::make_coarse_poller;
using jumpcut::impl::make_poller;
using jumpcut::impl::Poller;
using jumpcut::impl::PollEvent;

namespace {

constexpr std::uint32_t readable = PollEvent::readable;
constexpr std::uint32_t writable = PollEvent::writable;
constexpr std::uint32_t at_end = PollEvent::ended;

/// What the next epoll_ctl() fails with; 0: it is made.
int refusal = 0;

constexpr std::uint64_t large_tag = 0xFEDC'BA98'7654'3210;

/// What is reported now, as {tag, ready} pairs in order of tag.
std::vector<std::pair<std::uint64_t, std::uint32_t>> ready(Poller& poller) {
  std::array<PollEvent, 16> events;
  const std::size_t count = poller.wait(events, 0);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
  for (std::size_t i = 0; i < count; ++i) all.emplace_back(events[i].tag, events[i].ready);
  std::sort(all.begin(), all.end());
  return all;
}

using Ready = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

std::vector<std::unique_ptr<Poller>> both() {
  std::vector<std::unique_ptr<Poller>> pollers;
  pollers.push_back(make_poller());
  pollers.push_back(make_coarse_poller());
  return pollers;
}

std::string message_of(Poller& poller, int fd, int code) {
  try {
    poller.watch(fd, readable, 1);
  } catch (const std::system_error& error) {
    CHECK(error.code().value() == code);
    return error.what();
  }
  return "";
}

}  // namespace

/// In the place of the C library's: limits of the whole system are not a test's to change.
extern "C" int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  if (refusal == 0) return static_cast<int>(syscall(SYS_epoll_ctl, epoll, what, fd, event));
  errno = std::exchange(refusal, 0);
  return -1;
}

TEST_CASE("a descriptor is reported for as long as it is ready, with its tag") {
  for (const auto& poller : both()) {
    Pair pair;
    poller->watch(pair.ends[0], readable, large_tag);
    CHECK(ready(*poller).empty());
    pair.send();
    CHECK(ready(*poller) == Ready{{large_tag, readable}});
    CHECK(ready(*poller) == Ready{{large_tag, readable}});
    pair.receive();
    CHECK(ready(*poller).empty());
  }
}

TEST_CASE("interest and tag of a descriptor can be changed, and taken back") {
  const auto poller = make_poller();
  Pair pair;
  const int fd = pair.ends[0];
  pair.send();
  poller->watch(fd, readable, 1);
  poller->watch(fd, readable | writable, 2);
  CHECK(ready(*poller) == Ready{{2, readable | writable}});
  poller->watch(fd, writable, 3);
  CHECK(ready(*poller) == Ready{{3, writable}});
  poller->watch(fd, 0, 0);
  CHECK(ready(*poller).empty());
  poller->watch(fd, readable, 4);
  CHECK(ready(*poller) == Ready{{4, readable}});
}

TEST_CASE("what is not watched can be taken back") {
  const auto poller = make_poller();
  Pair pair;
  const int fd = pair.ends[0];
  poller->watch(fd, 0, 0);
  poller->watch(fd, readable, 1);
  pair.close_end(0);
  poller->watch(fd, 0, 0);
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  poller->watch(file, 0, 0);
  close(file);
}

TEST_CASE("a number that is another descriptor by now can be watched anew") {
  const auto poller = make_poller();
  Pair first;
  const int fd = first.ends[0];
  poller->watch(fd, readable, 1);
  first.close_end(0);
  Pair second;
  REQUIRE(dup2(second.ends[0], fd) == fd);
  first.ends[0] = fd;
  poller->watch(fd, readable, 2);
  second.send();
  CHECK(ready(*poller) == Ready{{2, readable}});
}

TEST_CASE("a hang-up and an error are both readable and writable") {
  const auto poller = make_poller();
  Pair pair;
  poller->watch(pair.ends[0], readable, 1);
  pair.close_end(1);
  CHECK(ready(*poller) == Ready{{1, readable | writable | at_end}});

  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  poller->watch(pair.ends[0], 0, 0);
  poller->watch(ends[1], writable, 2);
  close(ends[0]);
  CHECK(ready(*poller) == Ready{{2, readable | writable | at_end}});
  close(ends[1]);
}

TEST_CASE("what has no room in one call comes with the next") {
  const auto poller = make_poller();
  std::array<Pair, 3> pairs;
  for (std::size_t i = 0; i < pairs.size(); ++i) poller->watch(pairs[i].ends[0], writable, i);
  std::vector<std::uint64_t> tags;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    PollEvent event;
    REQUIRE(poller->wait({&event, 1}, 0) == 1);
    tags.push_back(event.tag);
  }
  std::sort(tags.begin(), tags.end());
  CHECK(tags == std::vector<std::uint64_t>{0, 1, 2});
}

TEST_CASE("a poller can be watched by another") {
  const auto inner = make_poller();
  const auto outer = make_poller();
  Pair pair;
  outer->watch(inner->fd(), readable, 7);
  inner->watch(pair.ends[0], readable, 1);
  CHECK(ready(*outer).empty());
  pair.send();
  CHECK(ready(*outer) == Ready{{7, readable}});
  CHECK((fcntl(inner->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("no wait is shorter than its timeout") {
  using std::chrono::nanoseconds;
  using std::chrono::steady_clock;
  for (const auto& poller : both()) {
    std::array<PollEvent, 4> events;
    for (std::int64_t timeout : {0, 1, 50'000, 999'999, 1'000'000, 1'000'001, 3'700'000}) {
      const auto start = steady_clock::now();
      CHECK(poller->wait(events, timeout) == 0);
      CHECK(steady_clock::now() - start >= nanoseconds(timeout));
    }
  }
}

TEST_CASE("a wait for ever, and one for longer than that, end when something is ready") {
  for (const auto& poller : both()) {
    Pair pair;
    std::array<PollEvent, 4> events;
    poller->watch(pair.ends[0], writable, 5);
    CHECK(poller->wait(events, -1) == 1);
    CHECK(poller->wait(events, std::numeric_limits<std::int64_t>::max()) == 1);
    CHECK(events[0].tag == 5);
  }
}

TEST_CASE("a signal ends a wait, with nothing ready") {
  for (const auto& poller : both()) {
    const SignalStorm storm(std::chrono::milliseconds(1), SA_RESTART);  // one comes while it waits
    std::array<PollEvent, 4> events;
    CHECK(poller->wait(events, -1) == 0);
  }
}

TEST_CASE("a descriptor that can't be watched is refused by name") {
  const auto poller = make_poller();
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  CHECK_THAT(message_of(*poller, file, EPERM),
             Catch::Contains("epoll_ctl on descriptor " + std::to_string(file)) &&
                 Catch::Contains("regular files and directories can't be watched"));
  close(file);
  CHECK_THAT(message_of(*poller, file, EBADF),
             Catch::Contains("descriptor " + std::to_string(file) + ", which is not open"));
  CHECK_THAT(message_of(*poller, -1, EBADF), Catch::Contains("descriptor -1"));
  CHECK_THAT(message_of(*poller, poller->fd(), EINVAL), Catch::Contains("epoll_ctl on descriptor"));
}

TEST_CASE("a user who watches as much as may be is told which limit it is, and by which call") {
  const auto poller = make_poller();
  Pair pair;
  const auto refused = [&](int error) -> std::string {
    refusal = error;
    try {
      poller->watch(pair.ends[0], readable, 1);
    } catch (const jumpcut::ResourceError& resource) {
      return resource.what();
    }
    return "not refused";
  };
  const std::string call = "epoll_ctl on descriptor " + std::to_string(pair.ends[0]);
  CHECK_THAT(refused(ENOSPC), Catch::Contains(call) && Catch::Contains("max_user_watches"));
  CHECK_THAT(refused(ENOMEM), Catch::Contains(call) && Catch::Contains("no memory"));
  CHECK(poller->watch(pair.ends[0], readable, 1));
  CHECK(!poller->watch(pair.ends[0], writable, 1));
  CHECK(!poller->watch(pair.ends[0], 0, 0));
}

TEST_CASE("a process without descriptors left is told which limit it hit") {
  const Ended ended = in_child([] {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &limit);
    try {
      (void)make_poller();
    } catch (const jumpcut::ResourceError& error) {
      std::printf("%s\n", error.what());
    }
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output,
             Catch::Contains("epoll_create1: all 3 descriptors that RLIMIT_NOFILE allows"));
}
