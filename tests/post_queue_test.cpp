// lib/loop/post_queue.hpp: nothing that is posted is lost or overtaken, and the consumer is woken.

#include "loop/post_queue.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::impl::PostNode;
using jumpcut::impl::PostQueue;

namespace {

constexpr std::uint32_t bit = 4;
constexpr std::uint32_t other_bit = 1;

struct Post : PostNode {
  Post(int who, int which) noexcept : producer(who), number(which) {}
  int producer;
  int number;
};

std::vector<int> numbers(const PostNode* node) {
  std::vector<int> all;
  for (; node != nullptr; node = node->next) all.push_back(static_cast<const Post*>(node)->number);
  return all;
}

bool is_readable(int fd, int milliseconds = 0) {
  pollfd waited{fd, POLLIN, 0};
  return poll(&waited, 1, milliseconds) == 1;
}

std::uint64_t writes(int fd) {
  std::uint64_t count = 0;
  return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

struct Queue {
  std::atomic<std::uint32_t> attention{other_bit};
  PostQueue queue{attention, bit};
  std::array<Post, 3> posts{Post(0, 1), Post(0, 2), Post(0, 3)};

  void push_all() {
    for (Post& post : posts) CHECK(queue.push(post));
  }
};

/// Checks what 8 producers pushed: all of it is there, each producer's in its order.
class Ledger {
 public:
  void enter(PostNode* list) {
    while (list != nullptr) {
      const std::unique_ptr<Post> post(static_cast<Post*>(list));
      list = post->next;
      if (post->number != expected_[static_cast<std::size_t>(post->producer)]++) ++wrong_;
      ++count_;
    }
  }
  int count() const { return count_; }
  int wrong() const { return wrong_; }

 private:
  std::array<int, 8> expected_{};
  int count_ = 0;
  int wrong_ = 0;
};

}  // namespace

TEST_CASE("what is posted comes out in the order in which it was pushed") {
  Queue q;
  CHECK(q.queue.drain() == nullptr);
  q.push_all();
  CHECK(numbers(q.queue.drain()) == std::vector<int>{1, 2, 3});
  CHECK(q.queue.drain() == nullptr);
  q.push_all();
  CHECK(numbers(q.queue.drain()) == std::vector<int>{1, 2, 3});
}

TEST_CASE("attention is set while something is posted, and nobody else's bit is touched") {
  Queue q;
  q.push_all();
  CHECK(q.attention == (bit | other_bit));
  q.queue.drain();
  CHECK(q.attention == other_bit);
  q.queue.drain();
  CHECK(q.attention == other_bit);
}

TEST_CASE("posting to a consumer that is awake makes no system call") {
  Queue q;
  q.push_all();
  CHECK_FALSE(is_readable(q.queue.fd()));
  q.queue.drain();
  REQUIRE(q.queue.prepare_to_sleep());
  q.queue.awake();
  q.push_all();
  CHECK_FALSE(is_readable(q.queue.fd()));
  q.queue.drain();
}

TEST_CASE("a consumer that sleeps is woken by one write") {
  Queue q;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(q.queue.prepare_to_sleep());
    q.push_all();
    CHECK(q.attention == (bit | other_bit));
    q.queue.awake();
    CHECK(numbers(q.queue.drain()) == std::vector<int>{1, 2, 3});
    q.push_all();  // now it is awake
    CHECK(writes(q.queue.fd()) == 1);
    q.queue.drain();
  }
  REQUIRE(q.queue.prepare_to_sleep());
  q.push_all();
  q.queue.drain_fd();
  CHECK_FALSE(is_readable(q.queue.fd()));
  q.queue.drain_fd();  // does not wait for a write
  q.queue.drain();
}

TEST_CASE("the consumer can't fall asleep over what is posted") {
  Queue q;
  q.push_all();
  CHECK_FALSE(q.queue.prepare_to_sleep());
  q.queue.awake();
  CHECK(numbers(q.queue.drain()) == std::vector<int>{1, 2, 3});
  CHECK(q.queue.prepare_to_sleep());
  CHECK(q.queue.prepare_to_sleep());  // still
  CHECK(q.queue.drain() == nullptr);
  q.queue.awake();
}

TEST_CASE("an eventfd that is full wakes as well") {
  Queue q;
  const std::uint64_t most = ~std::uint64_t{0} - 1;
  REQUIRE(write(q.queue.fd(), &most, sizeof most) == sizeof most);
  REQUIRE(q.queue.prepare_to_sleep());
  errno = 42;
  q.push_all();
  CHECK(errno == 42);  // the poster's own
  CHECK(is_readable(q.queue.fd()));
  q.queue.awake();
  q.queue.drain();
}

TEST_CASE("a queue that is closed gives back what was left, and leaves new nodes to their owners") {
  std::optional<std::atomic<std::uint32_t>> attention(0U);
  PostQueue queue(*attention, bit);
  Post before(0, 1);
  Post after(0, 2);
  queue.push(before);
  CHECK(numbers(queue.close()) == std::vector<int>{1});
  attention.reset();
  CHECK_FALSE(queue.push(after));
  CHECK(queue.fd() == -1);
  CHECK(queue.drain() == nullptr);
}

TEST_CASE("a sleeping consumer may close") {
  Queue q;
  REQUIRE(q.queue.prepare_to_sleep());
  CHECK(q.queue.close() == nullptr);
  CHECK_FALSE(q.queue.push(q.posts[0]));
}

TEST_CASE("an eventfd that somebody else closed is named") {
  const Ended ended = in_child([] {
    Queue q;
    q.queue.prepare_to_sleep();
    close(q.queue.fd());
    q.queue.push(q.posts[0]);
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("a loop's eventfd") && Catch::Contains("was closed"));
}

TEST_CASE("8 producers and a consumer that sleeps at random: nothing lost, nothing overtaken") {
  constexpr int producers = 8;
  constexpr int each = sanitized ? 5'000 : 50'000;
  std::atomic<std::uint32_t> attention{0};
  PostQueue queue(attention, bit);
  std::vector<std::thread> threads;
  for (int who = 0; who < producers; ++who) {
    threads.emplace_back([&queue, who] {
      std::minstd_rand random(static_cast<unsigned>(who + 1));
      for (int i = 0; i < each; ++i) {
        queue.push(*new Post(who, i));
        if (random() % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::minstd_rand random(100);  // NOLINT(*-msc51-cpp): the same each time
  Ledger ledger;
  int unannounced = 0;
  int sleeps = 0;
  bool woken = true;
  while (ledger.count() < producers * each && woken) {
    // Sometimes it looks at attention only, as fibers do, and at the queue only when it is set.
    if (random() % 2 == 0) {
      for (int i = 0; i < 100 && (attention.load(std::memory_order_relaxed) & bit) == 0; ++i) {
      }
    }
    PostNode* list = queue.drain();
    ledger.enter(list);
    if (list != nullptr || !queue.prepare_to_sleep()) continue;
    ++sleeps;
    woken = is_readable(queue.fd(), 60'000);
    if ((attention.load() & bit) == 0) ++unannounced;
    queue.awake();
    queue.drain_fd();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(woken);
  CHECK(ledger.count() == producers * each);
  CHECK(ledger.wrong() == 0);
  CHECK(unannounced == 0);
  CHECK(sleeps > 0);
  CHECK(queue.drain() == nullptr);
}

TEST_CASE("attention alone tells of every post") {
  constexpr int posts = 20'000;
  std::atomic<std::uint32_t> attention{0};
  PostQueue queue(attention, bit);
  std::thread producer([&] {
    for (int i = 0; i < posts; ++i) queue.push(*new Post(0, i));
  });
  Ledger ledger;
  while (ledger.count() < posts) {  // one whose bit is lost is never taken
    if ((attention.load(std::memory_order_relaxed) & bit) == 0) {
      std::this_thread::yield();
    } else {
      ledger.enter(queue.drain());
    }
  }
  producer.join();
  CHECK(ledger.wrong() == 0);
}

TEST_CASE("closing amid pushes: each node is taken by one side, and attention is left alone") {
  constexpr int rounds = sanitized ? 200 : 500;
  constexpr int producers = 4;
  int lost = 0;
  for (int round = 0; round < rounds; ++round) {
    auto attention = std::make_unique<std::atomic<std::uint32_t>>(0);
    auto queue = std::make_shared<PostQueue>(*attention, bit);
    std::atomic<int> accepted{0};
    std::vector<std::thread> threads;
    for (int who = 0; who < producers; ++who) {
      threads.emplace_back([queue, who, &accepted] {
        for (int i = 0;; ++i) {
          auto post = std::make_unique<Post>(who, i);
          if (!queue->push(*post)) return;
          post.release();
          ++accepted;
          if (i > 100) std::this_thread::yield();
        }
      });
    }
    Ledger ledger;
    for (int i = 0; i < round % 50; ++i) {
      ledger.enter(queue->drain());
      if (queue->prepare_to_sleep()) {
        is_readable(queue->fd(), 60'000);
        queue->awake();
        queue->drain_fd();
      }
    }
    if (round % 3 == 0) queue->prepare_to_sleep();
    ledger.enter(queue->close());
    attention.reset();
    queue.reset();
    for (std::thread& thread : threads) thread.join();
    if (ledger.count() != accepted || ledger.wrong() != 0) ++lost;
  }
  CHECK(lost == 0);
}
