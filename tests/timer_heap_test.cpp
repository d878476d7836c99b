// lib/loop/timer_heap.hpp: timers come out soonest first, and a cancelled one is never touched.

#include "loop/timer_heap.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::impl::TimerHeap;
using jumpcut::impl::TimerNode;

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

struct Timer : TimerNode {
  explicit Timer(int name_of_it = 0) noexcept : name(name_of_it) {}
  int name;
};

/// The names of all that are due, in the order in which they come out.
std::vector<int> pop_all(TimerHeap& heap, std::int64_t now = never) {
  std::vector<int> names;
  while (TimerNode* node = heap.pop_due(now)) names.push_back(static_cast<Timer*>(node)->name);
  return names;
}

}  // namespace

TEST_CASE("timers come out soonest first, and none before it is due") {
  TimerHeap heap;
  Timer late(3);
  Timer soon(1);
  Timer middle(2);
  CHECK(heap.next() == nullptr);
  CHECK(heap.pop_due(never) == nullptr);
  heap.add(30, late);
  heap.add(-10, soon);
  heap.add(20, middle);
  CHECK(*heap.next() == -10);
  CHECK(heap.pop_due(-11) == nullptr);
  CHECK(heap.pop_due(-10) == &soon);
  CHECK_FALSE(soon.is_set());
  CHECK(heap.pop_due(19) == nullptr);
  CHECK(pop_all(heap, 30) == std::vector<int>{2, 3});
  CHECK(heap.size() == 0);
}

TEST_CASE("timers of one moment come out in the order in which they were set") {
  TimerHeap heap;
  std::deque<Timer> timers;
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    timers.emplace_back(i);
    heap.add(i % 3, timers.back());
  }
  for (int moment = 0; moment < 3; ++moment) {
    for (int i = moment; i < 1000; i += 3) order.push_back(i);
  }
  CHECK(pop_all(heap) == order);
}

TEST_CASE("timers of one moment keep their order when the serials are used up") {
  TimerHeap heap(std::numeric_limits<std::uint32_t>::max() - 50);
  std::deque<Timer> timers;
  std::vector<int> order;
  for (int i = 0; i < 200; ++i) {
    timers.emplace_back(i);
    heap.add(i % 2 == 0 ? 7 : 8, timers.back());
    if (i % 5 == 0) heap.cancel(timers[static_cast<std::size_t>(i / 2)]);
  }
  for (int odd : {0, 1}) {
    for (int i = odd; i < 200; i += 2) {
      if (timers[static_cast<std::size_t>(i)].is_set()) order.push_back(i);
    }
  }
  CHECK(order.size() == heap.size());
  CHECK(pop_all(heap) == order);
}

TEST_CASE("a cancelled timer never comes out, and its memory is not touched again") {
  TimerHeap heap;
  Timer first(1);
  Timer last(3);
  auto gone = std::make_unique<Timer>(2);  // a sanitizer sees who reads it later
  heap.add(1, first);
  heap.add(2, *gone);
  heap.add(3, last);
  heap.cancel(*gone);
  CHECK_FALSE(gone->is_set());
  heap.cancel(*gone);  // nothing
  gone.reset();
  CHECK(heap.size() == 2);
  CHECK(pop_all(heap) == std::vector<int>{1, 3});
  CHECK(heap.capacity_used() == 0);
}

TEST_CASE("cancelled timers at the head are dropped when the head is looked at") {
  TimerHeap heap;
  Timer a;
  Timer b;
  Timer c;
  heap.add(1, a);
  heap.add(2, b);
  heap.add(3, c);
  heap.cancel(a);
  heap.cancel(b);
  CHECK(heap.capacity_used() == 3);
  CHECK(*heap.next() == 3);
  CHECK(heap.capacity_used() == 1);
  heap.cancel(c);
  CHECK(heap.next() == nullptr);
}

TEST_CASE("a timer that is set last and latest leaves nothing when it is cancelled") {
  TimerHeap heap;
  std::deque<Timer> timers(50);
  std::int64_t when = 0;
  for (Timer& timer : timers) heap.add(++when, timer);
  for (int i = 0; i < 1000; ++i) {
    Timer timeout;
    heap.add(++when, timeout);
    REQUIRE(timeout.slot <= timers.size());
    heap.cancel(timeout);
  }
  CHECK(heap.capacity_used() == 50);
  heap.clear([](TimerNode&) {});
}

TEST_CASE("more than 100 entries are swept when more than half of them are cancelled") {
  TimerHeap heap;
  std::deque<Timer> timers;
  for (int i = 0; i < 200; ++i) {
    timers.emplace_back(i);
    heap.add(i, timers.back());
  }
  std::vector<int> rest;
  for (int i = 0; i < 100; ++i) heap.cancel(timers[static_cast<std::size_t>(i)]);
  CHECK(heap.capacity_used() == 200);
  heap.cancel(timers[100]);
  CHECK(heap.capacity_used() == 99);
  CHECK(heap.size() == 99);
  for (int i = 101; i < 200; ++i) rest.push_back(i);
  CHECK(pop_all(heap) == rest);
}

TEST_CASE("100 entries are not swept") {
  TimerHeap heap;
  std::deque<Timer> timers(100);
  for (Timer& timer : timers) heap.add(0, timer);
  for (std::size_t i = 0; i < 99; ++i) heap.cancel(timers[i]);
  CHECK(heap.capacity_used() == 100);
  CHECK(heap.pop_due(0) == &timers[99]);
}

TEST_CASE("clear takes out all timers, and its function may cancel the others") {
  TimerHeap heap;
  std::deque<Timer> timers(10);
  for (Timer& timer : timers) heap.add(never, timer);
  std::size_t calls = 0;
  heap.clear([&](TimerNode& node) {
    CHECK(&node == &timers[calls]);
    CHECK_FALSE(node.is_set());
    if (++calls == 4) {
      for (Timer& timer : timers) heap.cancel(timer);
    }
  });
  CHECK(calls == 4);
  CHECK(heap.capacity_used() == 0);
}

TEST_CASE("a heap does what a sorted set does") {
  std::mt19937_64 random(20);  // NOLINT(*-msc51-cpp): the same each time
  const auto below = [&](std::uint64_t limit) { return random() % limit; };
  for (int round = 0; round < 20; ++round) {
    TimerHeap heap(round % 2 == 0 ? 0 : std::numeric_limits<std::uint32_t>::max() - 5000);
    std::deque<Timer> timers(2000);
    std::set<std::pair<std::pair<std::int64_t, int>, TimerNode*>> expected;
    std::vector<std::pair<std::int64_t, int>> keys(timers.size());
    int serial = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::size_t which = below(timers.size());
      Timer& timer = timers[which];
      const bool mostly_set = step / 4000 % 2 == 0;
      if (timer.is_set() && below(4) < (mostly_set ? 2 : 4)) {
        heap.cancel(timer);
        expected.erase({keys[which], &timer});
      } else if (!timer.is_set() && (mostly_set || below(4) == 0)) {
        keys[which] = {static_cast<std::int64_t>(below(500)), ++serial};
        heap.add(keys[which].first, timer);
        expected.insert({keys[which], &timer});
      } else if (below(8) == 0 && !expected.empty()) {
        REQUIRE(*heap.next() == expected.begin()->first.first);
        REQUIRE(heap.pop_due(never) == expected.begin()->second);
        expected.erase(expected.begin());
      }
      REQUIRE(heap.size() == expected.size());
      REQUIRE(heap.capacity_used() <= std::max<std::size_t>(2 * expected.size() + 1, 100));
    }
    for (const auto& [key, node] : expected) REQUIRE(heap.pop_due(never) == node);
    REQUIRE(heap.next() == nullptr);
  }
}
