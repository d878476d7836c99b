// jumpcut/impl/queue_items.hpp: which item a queue gives first.

#include <jumpcut/queue.hpp>

#include "on_loop.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::LifoQueue;
using jumpcut::PriorityQueue;
using jumpcut::Queue;

TEST_CASE("a Queue gives the oldest item first") {
  on_loop([] {
    Queue<int> queue;
    for (const int i : {1, 3, 2}) queue.put(i);
    CHECK(queue.get() == 1);
    CHECK(queue.get() == 3);
    CHECK(queue.get() == 2);
  });
}

TEST_CASE("a LifoQueue gives the newest item first") {
  on_loop([] {
    LifoQueue<int> queue;
    for (const int i : {1, 3, 2}) queue.put(i);
    CHECK(queue.get() == 2);
    CHECK(queue.get() == 3);
    CHECK(queue.get() == 1);
  });
}

TEST_CASE("a PriorityQueue gives the least item first") {
  on_loop([] {
    PriorityQueue<int> queue;
    for (const int i : {1, 3, 2}) queue.put(i);
    CHECK(queue.get() == 1);
    CHECK(queue.get() == 2);
    CHECK(queue.get() == 3);
  });
}

TEST_CASE("a PriorityQueue gives the item first that the given comparison puts first") {
  PriorityQueue<int, std::greater<>> greatest;
  for (const int i : {1, 3, 2}) greatest.put_nowait(i);
  CHECK(greatest.get_nowait() == 3);

  int divisor = 10;
  const auto less = [&divisor](int a, int b) { return a % divisor < b % divisor; };
  PriorityQueue<int, decltype(less)> last_digit(0, less);
  for (const int i : {31, 12, 50}) last_digit.put_nowait(i);
  CHECK(last_digit.get_nowait() == 50);
}

TEST_CASE("a PriorityQueue gives the oldest of equal items first") {
  using Item = std::pair<int, int>;
  const auto less = [](const Item& a, const Item& b) { return a.first < b.first; };
  std::mt19937 random(1);
  PriorityQueue<Item, decltype(less)> queue(0, less);
  std::vector<Item> wanted, got;
  for (int i = 0; i < 1000; ++i) {
    const Item item(static_cast<int>(random() % 10), i);
    wanted.push_back(item);
    queue.put_nowait(item);
  }
  std::stable_sort(wanted.begin(), wanted.end(), less);
  while (!queue.empty()) got.push_back(queue.get_nowait());
  CHECK(got == wanted);
}

TEST_CASE("a PriorityQueue is a heap, whatever comes and goes") {
  std::mt19937 random(2);
  PriorityQueue<int> queue;
  std::multiset<int> model;
  for (int step = 0; step < 10000; ++step) {
    if (model.empty() || random() % 5 < 3) {
      const int item = static_cast<int>(random() % 100);
      queue.put_nowait(item);
      model.insert(item);
    } else {
      REQUIRE(queue.get_nowait() == *model.begin());
      model.erase(model.begin());
    }
    REQUIRE(queue.qsize() == model.size());
  }
}

TEST_CASE("a PriorityQueue keeps every item if a comparison throws") {
  bool broken = false;
  const auto less = [&broken](int a, int b) { return broken ? throw 1 : a < b; };
  PriorityQueue<int, decltype(less)> queue(0, less);
  for (const int i : {5, 1, 4, 2, 3}) queue.put_nowait(i);
  broken = true;
  CHECK_THROWS_AS(queue.put_nowait(0), int);
  CHECK_THROWS_AS(queue.get_nowait(), int);
  broken = false;
  CHECK(queue.qsize() == 5);
  for (int i = 1; i <= 5; ++i) CHECK(queue.get_nowait() == i);
}

TEST_CASE(
    "an item that is destroyed by an immediate shutdown finds the queue empty and shut down") {
  struct Looks {
    Queue<Looks>* queue;
    bool* seen;
    explicit Looks(Queue<Looks>* in, bool* into) : queue(in), seen(into) {}
    Looks(Looks&& other) noexcept : queue(std::exchange(other.queue, nullptr)), seen(other.seen) {}
    ~Looks() {
      if (queue != nullptr) *seen = queue->empty() && queue->is_shutdown();
    }
  };
  bool seen = false;
  Queue<Looks> queue;
  queue.put_nowait(Looks(&queue, &seen));
  queue.shutdown(true);
  CHECK(seen);
}
