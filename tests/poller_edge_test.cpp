// lib/loop/poller.hpp: what is told of changes only, and what a forked process must not touch.

#include "loop/poller.hpp"

#include <jumpcut/error.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "pair.hpp"

using jumpcut::impl::make_poller;
using jumpcut::impl::Poller;
using jumpcut::impl::PollEvent;

namespace {

constexpr std::uint32_t readable = PollEvent::readable;
constexpr std::uint32_t writable = PollEvent::writable;
constexpr std::uint32_t edge = PollEvent::edge;

std::vector<std::uint32_t> ready(Poller& poller) {
  std::array<PollEvent, 16> events;
  const std::size_t count = poller.wait(events, 0);
  std::vector<std::uint32_t> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(events[i].ready);
  return all;
}

}  // namespace

TEST_CASE("with edges, each change is told once, whether or not anybody reads") {
  const auto poller = make_poller();
  const Pair pair;
  poller->watch(pair.ends[0], readable | edge, 1);
  CHECK(ready(*poller).empty());
  pair.send();
  CHECK(ready(*poller) == std::vector{readable});
  CHECK(ready(*poller).empty());
  pair.send();
  CHECK(ready(*poller) == std::vector{readable});
  CHECK(ready(*poller).empty());
}

TEST_CASE("with edges, what is so already is told when that is asked for first") {
  const auto poller = make_poller();
  const Pair pair;
  pair.send();
  CHECK(poller->watch(pair.ends[0], readable | edge, 1));
  CHECK(ready(*poller) == std::vector{readable});
  CHECK(ready(*poller).empty());
  CHECK(!poller->watch(pair.ends[0], readable | writable | edge, 1));
  CHECK(ready(*poller) == std::vector{readable | writable});
  CHECK(ready(*poller).empty());
}

TEST_CASE("a forked process can't change what its parent's poller watches") {
  const auto poller = make_poller();
  const Pair watched;
  const Pair other;
  poller->watch(watched.ends[0], readable, 1);
  const Ended ended = in_child([&] {
    expect(!poller->watch(watched.ends[0], 0, 0), "nothing to remove");
    try {
      poller->watch(other.ends[0], readable, 2);
      expect(false, "it throws");
    } catch (const jumpcut::RuntimeError&) {
    }
  });
  CHECK(ended.exit_code == 0);
  watched.send();
  other.send();
  CHECK(ready(*poller) == std::vector{readable});
}
