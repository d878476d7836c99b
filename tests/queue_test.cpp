// jumpcut/queue.hpp: putting, getting, and what happens at the ends. What all three queues share is
// tested with each of them.

#include <jumpcut/queue.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::create_task;
using jumpcut::get_running_loop;
using jumpcut::LifoQueue;
using jumpcut::PriorityQueue;
using jumpcut::Queue;
using jumpcut::QueueEmpty;
using jumpcut::QueueFull;
using jumpcut::QueueShutDown;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::ValueError;

namespace {

template <class Any>
auto getter(Any& queue) {
  return create_task([&queue] { return queue.get(); });
}

template <class Any, class Item>
auto putter(Any& queue, Item item) {
  return create_task([&queue, item] { queue.put(item); });
}

template <class Error, class Function>
bool throws(Function function) {
  try {
    function();
  } catch (const Error&) {
    return true;
  }
  return false;
}

/// Neither puts nor gets any more.
template <class Any>
void check_shut_down(Any& queue) {
  CHECK(queue.is_shutdown());
  CHECK_THROWS_AS(queue.put(0), QueueShutDown);
  CHECK_THROWS_AS(queue.put_nowait(0), QueueShutDown);
  CHECK_THROWS_AS(queue.get(), QueueShutDown);
  CHECK_THROWS_AS(queue.get_nowait(), QueueShutDown);
}

}  // namespace

TEMPLATE_TEST_CASE("a queue is empty and never full, if nothing else is said", "", Queue<int>,
                   LifoQueue<int>, PriorityQueue<int>) {
  TestType queue;
  CHECK(queue.empty());
  CHECK(queue.qsize() == 0);
  CHECK(queue.maxsize() == 0);
  for (int i = 0; i < 1000; ++i) queue.put_nowait(i);
  CHECK(!queue.full());
  CHECK(!queue.empty());
  CHECK(queue.qsize() == 1000);
}

TEMPLATE_TEST_CASE("a queue with a negative size has no limit", "", Queue<int>, LifoQueue<int>,
                   PriorityQueue<int>) {
  TestType queue(-1);
  CHECK(queue.maxsize() == -1);
  queue.put_nowait(1);
  CHECK(!queue.full());
}

TEMPLATE_TEST_CASE(
    "put_nowait into a full queue throws QueueFull, get_nowait out of an empty one "
    "QueueEmpty",
    "", Queue<int>, LifoQueue<int>, PriorityQueue<int>) {
  TestType queue(1);
  CHECK_THROWS_WITH(queue.get_nowait(), "the queue is empty");
  queue.put_nowait(1);
  CHECK(queue.full());
  CHECK_THROWS_AS(queue.put_nowait(2), QueueFull);
  CHECK(queue.get_nowait() == 1);
  CHECK(!queue.full());
  CHECK_THROWS_AS(queue.get_nowait(), QueueEmpty);
}

TEMPLATE_TEST_CASE("what can only be moved can be queued", "", Queue<std::unique_ptr<int>>,
                   LifoQueue<std::unique_ptr<int>>, PriorityQueue<std::unique_ptr<int>>) {
  on_loop([] {
    TestType queue(2);
    queue.put(std::make_unique<int>(1));
    CHECK(*queue.get() == 1);
    queue.put_nowait(std::make_unique<int>(2));
    CHECK(*queue.get_nowait() == 2);
  });
}

TEMPLATE_TEST_CASE("an item that could not be put is still the caller's", "",
                   Queue<std::unique_ptr<int>>, LifoQueue<std::unique_ptr<int>>,
                   PriorityQueue<std::unique_ptr<int>>) {
  on_loop([] {
    TestType queue(1);
    auto item = std::make_unique<int>(7);
    queue.put(std::make_unique<int>(1));
    CHECK_THROWS_AS(queue.put_nowait(std::move(item)), QueueFull);
    CHECK(item != nullptr);
    const auto task = create_task([&] { queue.put(std::move(item)); });
    ticks();
    CHECK(all_cancelled(task));
    CHECK(item != nullptr);
    queue.shutdown();
    CHECK_THROWS_AS(queue.put(std::move(item)), QueueShutDown);
    REQUIRE(item != nullptr);
    CHECK(*item == 7);
  });
}

TEST_CASE("put and get that need not wait don't switch") {
  on_loop([] {
    Queue<int> queue(1);
    const OthersTurn others;
    queue.put(1);
    CHECK(queue.get() == 1);
    queue.task_done();
    queue.join();
    CHECK(!others.came());
  });
}

TEST_CASE("Queue.put into a full queue waits for room") {
  on_loop([] {
    Queue<int> queue(2);
    std::vector<int> put;
    const auto task = create_task([&] {
      for (int i = 0; i < 3; ++i) {
        queue.put(i);
        put.push_back(i);
      }
    });
    ticks(2);
    CHECK(put == std::vector<int>{0, 1});
    CHECK(queue.get() == 0);
    ticks();
    CHECK(put == std::vector<int>{0, 1, 2});
    CHECK(queue.get() == 1);
    CHECK(queue.get() == 2);
    CHECK(task.done());
  });
}

TEST_CASE("Queue.get out of an empty queue waits for an item") {
  on_loop([] {
    Queue<int> queue;
    get_running_loop().call_later(10ms, [&] { queue.put_nowait(1); });
    CHECK(queue.get() == 1);
    CHECK(get_running_loop().time().time_since_epoch() == 10ms);
  });
}

TEST_CASE("a callback that takes an item lets a waiting put go on") {
  on_loop([] {
    Queue<int> queue(1);
    get_running_loop().call_later(10ms, [&] { CHECK(queue.get_nowait() == 1); });
    queue.put(1);
    queue.put(2);
    CHECK(get_running_loop().time().time_since_epoch() == 10ms);
    CHECK(queue.get() == 2);
  });
}

TEST_CASE("an item that is put wakes a getter, but who runs may take it first") {
  on_loop([] {
    Queue<int> queue;
    std::string log;
    const auto get = [&](char name) {
      return create_task([&queue, &log, name] { log += name + std::to_string(queue.get()) + ' '; });
    };
    const auto a = get('a'), b = get('b');
    ticks();
    queue.put_nowait(1);
    CHECK(queue.get_nowait() == 1);
    ticks();
    CHECK(log.empty());
    queue.put_nowait(2);
    queue.put_nowait(3);
    await(a);
    await(b);
    CHECK(log == "b2 a3 ");  // a waits again, as the last
  });
}

TEST_CASE("room that is made wakes a putter, but who runs may take it first") {
  on_loop([] {
    Queue<int> queue(1);
    queue.put(0);
    const auto a = putter(queue, 1);
    ticks();
    CHECK(queue.get_nowait() == 0);
    queue.put_nowait(2);
    ticks();
    CHECK(!a.done());
    CHECK(queue.get() == 2);
    CHECK(queue.get() == 1);
  });
}

TEST_CASE("a task that gets before the tasks that put have begun waits for them") {
  on_loop([] {
    Queue<char> queue(1);
    const auto a = putter(queue, 'a'), b = putter(queue, 'b');
    CHECK(queue.get() == 'a');
    CHECK(queue.get() == 'b');
    CHECK((a.done() && b.done()));
  });
}

TEST_CASE("a producer and a consumer get through a Queue of one") {
  on_loop([] {
    Queue<int> queue(1);
    const auto producer = create_task([&] {
      for (int i = 0; i < 5; ++i) queue.put(i);
    });
    for (int i = 0; i < 5; ++i) CHECK(queue.get() == i);
    CHECK(producer.done());
  });
}

TEST_CASE("all putters go on when several items are taken at once") {
  on_loop([] {
    Queue<int> queue(2);
    const auto taker = create_task([&] {
      ticks();
      for (auto left = queue.qsize(); left > 0; --left) queue.get_nowait();
    });
    std::vector<Task<>> putters;
    for (int i = 0; i < 4; ++i) putters.push_back(putter(queue, i));
    for (const auto& task : putters) await(task);
    CHECK(taker.done());
    CHECK(queue.qsize() == 2);
  });
}

TEST_CASE("a cancelled getter does not keep an item from the next") {
  on_loop([] {
    Queue<char> queue;
    const auto a = getter(queue), b = getter(queue);
    ticks();
    a.cancel();
    ticks();
    CHECK(a.cancelled());
    queue.put('x');
    CHECK(await(b) == 'x');
  });
}

TEST_CASE("a getter that is woken and then cancelled passes the item on") {
  on_loop([] {
    Queue<int> queue;
    const auto a = getter(queue), b = getter(queue), c = getter(queue);
    ticks();
    queue.put_nowait(1);
    queue.put_nowait(2);
    a.cancel();
    CHECK(is_cancelled([&] { await(a); }));
    CHECK(await(b) + await(c) == 3);
  });
}

TEST_CASE("a getter that is woken and then cancelled leaves the item in the queue") {
  on_loop([] {
    Queue<int> queue;
    const auto a = getter(queue);
    ticks();
    queue.put_nowait(1);
    queue.put_nowait(2);
    CHECK(all_cancelled(a));
    CHECK(queue.get() == 1);
    CHECK(queue.qsize() == 1);
  });
}

TEST_CASE("a getter that is cancelled unwoken costs nobody the turn") {
  on_loop([] {
    Queue<int> queue;
    const auto first = getter(queue), second = getter(queue);
    const auto third = getter(queue), fourth = getter(queue);
    ticks(1);
    second.cancel();
    queue.put_nowait(1);  // there when the second is told, and not for the third
    ticks(2);
    queue.put_nowait(2);
    CHECK(await(third) == 2);
    CHECK(all_cancelled(fourth));
  });
}

TEST_CASE("a cancelled putter does not keep the room from the next") {
  on_loop([] {
    Queue<char> queue(1);
    const auto a = putter(queue, 'a'), b = putter(queue, 'b'), c = putter(queue, 'c');
    ticks();
    CHECK(a.done());
    CHECK(!b.done());
    c.cancel();
    ticks();
    CHECK(c.cancelled());
    CHECK(queue.get_nowait() == 'a');
    ticks();
    CHECK(queue.get_nowait() == 'b');
    await(b);
    CHECK(queue.empty());
  });
}

TEST_CASE("a putter that is woken and then cancelled passes the room on") {
  on_loop([] {
    Queue<int> queue(1);
    queue.put(0);
    const auto a = putter(queue, 1), b = putter(queue, 2);
    ticks();
    CHECK(queue.get_nowait() == 0);
    CHECK(all_cancelled(a));
    await(b);
    CHECK(queue.get_nowait() == 2);
    CHECK(queue.empty());
  });
}

TEST_CASE("an item whose copy fails leaves the room to the next putter") {
  struct Fragile {
    bool fails = false;
    Fragile() = default;
    explicit Fragile(bool failing) : fails(failing) {}
    Fragile(const Fragile& other) : fails(other.fails) {
      if (fails) throw 1;
    }
    Fragile(Fragile&&) noexcept = default;
    Fragile& operator=(Fragile&&) noexcept = default;
  };
  on_loop([] {
    Queue<Fragile> queue(1);
    queue.put(Fragile());
    const auto fails = create_task([&] {
      const Fragile item(true);
      queue.put(item);
    });
    const auto next = create_task([&] { queue.put(Fragile()); });
    ticks();
    queue.get();
    CHECK(throws<int>([&] { await(fails); }));
    await(next);
    CHECK(queue.qsize() == 1);
  });
}

TEMPLATE_TEST_CASE("join waits until task_done was called for each item", "", Queue<int>,
                   LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue;
    int sum = 0;
    for (int i = 0; i < 100; ++i) queue.put_nowait(i);
    const auto worker = [&] {
      for (;;) {
        const int item = queue.get();
        ticks();
        sum += item;
        queue.task_done();
      }
    };
    const auto a = create_task(worker), b = create_task(worker);
    queue.join();
    CHECK(sum == 4950);
    CHECK(all_cancelled(a, b));
  });
}

TEMPLATE_TEST_CASE("join of a queue in which nothing was put returns at once", "", Queue<int>,
                   LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue;
    queue.join();
    queue.join();
  });
}

TEST_CASE("join waits although the queue is empty, if task_done was not called") {
  on_loop([] {
    Queue<int> queue;
    queue.put(1);
    queue.get();
    const auto join = create_task([&] { queue.join(); });
    ticks(3);
    CHECK(!join.done());
    queue.task_done();
    ticks();
    CHECK(join.done());
  });
}

TEST_CASE("join returns once all was done, even if more is put right then") {
  on_loop([] {
    Queue<int> queue;
    queue.put(1);
    const auto join = create_task([&] { queue.join(); });
    ticks();
    queue.task_done();
    queue.put(2);
    ticks();
    CHECK(join.done());
  });
}

TEMPLATE_TEST_CASE("task_done more often than items were put is a ValueError", "", Queue<int>,
                   LifoQueue<int>, PriorityQueue<int>) {
  TestType queue;
  CHECK_THROWS_AS(queue.task_done(), ValueError);
  queue.put_nowait(1);
  queue.task_done();
  CHECK_THROWS_WITH(queue.task_done(), Catch::Contains("more often than items were put in"));
}

TEMPLATE_TEST_CASE("shutdown of an empty queue ends waiting getters with QueueShutDown", "",
                   Queue<int>, LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue;
    const auto get = getter(queue);
    ticks();
    queue.shutdown();
    queue.join();
    ticks();
    CHECK(get.done());
    CHECK_THROWS_AS(await(get), QueueShutDown);
    check_shut_down(queue);
  });
}

TEMPLATE_TEST_CASE("shutdown of a full queue ends waiting putters, and lets what is in it out", "",
                   Queue<int>, LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue(1);
    queue.put_nowait(1);
    const auto join = create_task([&] { queue.join(); });
    const auto put = putter(queue, 2);
    ticks();
    CHECK(!put.done());
    queue.shutdown();
    CHECK(queue.qsize() == 1);
    ticks();
    CHECK(put.done());
    CHECK_THROWS_AS(await(put), QueueShutDown);
    CHECK(queue.get() == 1);
    ticks();
    CHECK(!join.done());
    check_shut_down(queue);
    queue.task_done();
    ticks();
    CHECK(join.done());
    CHECK_THROWS_AS(queue.task_done(), ValueError);
  });
}

TEMPLATE_TEST_CASE("an immediate shutdown empties the queue, and counts what was in it as done", "",
                   Queue<int>, LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue;
    queue.put_nowait(1);
    const auto join = create_task([&] { queue.join(); });
    ticks();
    queue.shutdown(true);
    CHECK(queue.qsize() == 0);
    ticks();
    CHECK(join.done());
    check_shut_down(queue);
    CHECK_THROWS_AS(queue.task_done(), ValueError);
  });
}

TEMPLATE_TEST_CASE("an immediate shutdown leaves what was taken out to be done", "", Queue<int>,
                   LifoQueue<int>, PriorityQueue<int>) {
  on_loop([] {
    TestType queue;
    queue.put_nowait(1);
    queue.put_nowait(1);
    const auto join = create_task([&] { queue.join(); });
    CHECK(queue.get() == 1);
    queue.shutdown(true);
    ticks();
    CHECK(!join.done());
    check_shut_down(queue);
    queue.task_done();
    CHECK_THROWS_AS(queue.task_done(), ValueError);
    ticks();
    CHECK(join.done());
  });
}

TEST_CASE("a shutdown in two steps may be immediate in the end") {
  Queue<int> queue;
  queue.put_nowait(1);
  queue.shutdown();
  queue.shutdown(true);
  CHECK(queue.empty());
}

TEST_CASE("what a task waits for is shown as Queue.get(), put() or join()") {
  on_loop([] {
    Queue<int> queue(1), empty;
    queue.put(1);
    const auto put = putter(queue, 2), get = create_task([&] { empty.get(); });
    const auto join = create_task([&] { queue.join(); });
    ticks();
    CHECK(put.waiting_for() == "Queue.put()");
    CHECK(get.waiting_for() == "Queue.get()");
    CHECK(join.waiting_for() == "Queue.join()");
    CHECK(all_cancelled(put, get, join));
  });
}

TEST_CASE("put, get and join outside a task are RuntimeErrors, even if they need not wait") {
  Queue<int> queue;
  CHECK_THROWS_WITH(queue.put(1), Catch::Contains("Queue.put() outside a task"));
  queue.put_nowait(1);
  CHECK_THROWS_WITH(queue.get(), Catch::Contains("Queue.get() outside a task"));
  CHECK_THROWS_AS(queue.join(), RuntimeError);
  CHECK(queue.qsize() == 1);
}

TEST_CASE("a queue belongs to the first loop whose task waits in it") {
  Queue<int> queue(1);
  on_loop([&] { queue.put(1); });  // without waiting
  on_loop([&] {
    get_running_loop().call_soon([&] { queue.get_nowait(); });
    queue.put(2);
  });
  on_loop([&] {
    CHECK_THROWS_WITH(queue.put(3), Catch::Contains("Queue.put(): it belongs to another loop"));
    CHECK(queue.get() == 2);
    CHECK_THROWS_WITH(queue.get(), Catch::Contains("Queue.get(): it belongs to another loop"));
    CHECK_THROWS_WITH(queue.join(), Catch::Contains("Queue.join(): it belongs to another loop"));
  });
}

TEST_CASE("put_nowait by another thread than that of the waiting tasks is a RuntimeError") {
  on_loop([] {
    Queue<int> queue;
    const auto task = getter(queue);
    ticks();
    bool refused = false, kept = false;
    std::thread([&] {
      refused = throws<RuntimeError>([&] { queue.put_nowait(1); });
      kept = throws<RuntimeError>([&] { queue.shutdown(); });
    }).join();
    CHECK((refused && kept));
    CHECK((queue.empty() && !queue.is_shutdown()));
    CHECK(all_cancelled(task));
  });
}

TEST_CASE("a queue that is destroyed while tasks wait in it ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      std::optional<Queue<int>> queue(std::in_place);
      const auto a = getter(*queue), b = getter(*queue);
      ticks();
      queue.reset();
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("destroyed while 2 tasks wait in Queue.get()"));
}

TEST_CASE("a queue may go while tasks that were cancelled, or have joined, have not left it yet") {
  on_loop([] {
    std::optional<Queue<int>> queue(std::in_place);
    queue->put(1);
    const auto join = create_task([&] { queue->join(); });
    queue->get();
    const auto get = getter(*queue);
    ticks();
    get.cancel();
    queue->task_done();
    queue.reset();
    CHECK(is_cancelled([&] { await(get); }));
    await(join);
  });
}
