// jumpcut/semaphore.hpp: who gets a permit, in which order, and where it goes if that is cancelled.

#include <jumpcut/semaphore.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::BoundedSemaphore;
using jumpcut::create_task;
using jumpcut::get_running_loop;
using jumpcut::RuntimeError;
using jumpcut::Semaphore;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::ValueError;

namespace {

/// Tasks that take a permit, log their names and keep it.
struct Takers {
  Semaphore semaphore;
  std::string log;

  explicit Takers(std::ptrdiff_t value) : semaphore(value) {}
  auto add(char name) {
    return create_task([this, name] {
      semaphore.acquire();
      log += name;
    });
  }
};

}  // namespace

TEST_CASE("a Semaphore has one permit, if nothing else is said") {
  Semaphore semaphore;
  CHECK(semaphore.value() == 1);
  CHECK(!semaphore.locked());
}

TEST_CASE("a Semaphore of 0 is locked from the beginning") {
  Semaphore semaphore(0);
  CHECK(semaphore.locked());
  CHECK(!semaphore.try_acquire());
}

TEST_CASE("a Semaphore of less than 0 is a ValueError") {
  CHECK_THROWS_WITH(Semaphore(-1), "a semaphore begins with 0 permits or more, not with -1");
  CHECK_THROWS_AS(BoundedSemaphore(-1), ValueError);
}

TEST_CASE("Semaphore.acquire takes a permit, Semaphore.release gives it back") {
  on_loop([] {
    Semaphore semaphore;
    semaphore.acquire();
    CHECK(semaphore.locked());
    CHECK(semaphore.value() == 0);
    semaphore.release();
    CHECK(!semaphore.locked());
    CHECK(semaphore.value() == 1);
  });
}

TEST_CASE("a Semaphore that nobody holds can be released, and has one permit more then") {
  Semaphore semaphore;
  semaphore.release();
  CHECK(semaphore.value() == 2);
}

TEST_CASE("a BoundedSemaphore does not take back more permits than it had") {
  on_loop([] {
    BoundedSemaphore semaphore(2);
    CHECK_THROWS_WITH(semaphore.release(), "Semaphore.release: all 2 permits are back");
    semaphore.acquire();
    semaphore.release();
    CHECK_THROWS_AS(semaphore.release(), ValueError);
    CHECK(semaphore.value() == 2);
  });
}

TEST_CASE("a Semaphore does not count further than a number can") {
  Semaphore semaphore(std::numeric_limits<std::ptrdiff_t>::max());
  CHECK_THROWS_AS(semaphore.release(), ValueError);
}

TEST_CASE("std::unique_lock holds a permit for a scope") {
  on_loop([] {
    Semaphore semaphore(2);
    {
      const std::unique_lock hold(semaphore);
      CHECK(semaphore.value() == 1);
      std::unique_lock other(semaphore, std::try_to_lock);
      CHECK(other.owns_lock());
      CHECK(!std::unique_lock(semaphore, std::try_to_lock).owns_lock());
    }
    CHECK(semaphore.value() == 2);
  });
}

TEST_CASE("Semaphore.acquire does not switch while permits are free") {
  on_loop([] {
    Semaphore semaphore(2);
    const OthersTurn others;
    semaphore.acquire();
    semaphore.acquire();
    CHECK(!others.came());
  });
}

TEST_CASE("no more tasks are inside than a Semaphore has permits") {
  on_loop([] {
    Semaphore semaphore(2);
    std::string log;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.push_back(create_task([&semaphore, &log, i] {
        const std::unique_lock hold(semaphore);
        log += "+" + std::to_string(i) + ' ';
        ticks(2);
        log += "-" + std::to_string(i) + ' ';
      }));
    }
    for (const auto& task : tasks) await(task);
    CHECK(log == "+0 +1 -0 -1 +2 +3 -2 -3 +4 -4 ");
  });
}

TEST_CASE("Semaphore.release gives the permit to the first that waits, at once") {
  on_loop([] {
    Takers takers(3);
    takers.semaphore.acquire();
    takers.semaphore.acquire();
    CHECK(!takers.semaphore.locked());
    const auto a = takers.add('a'), b = takers.add('b'), c = takers.add('c');
    ticks();
    CHECK(takers.log == "a");
    CHECK(takers.semaphore.locked());
    CHECK(takers.semaphore.n_waiting() == 2);
    CHECK(takers.semaphore.value() == 0);
    const auto d = takers.add('d');
    takers.semaphore.release();
    takers.semaphore.release();
    CHECK(takers.semaphore.value() == 0);
    ticks();
    CHECK(takers.log == "abc");
    CHECK(takers.semaphore.locked());
    CHECK(takers.semaphore.n_waiting() == 1);
    takers.semaphore.release();
    await(d);
    CHECK(takers.log == "abcd");
  });
}

TEST_CASE("who comes while others wait for a Semaphore goes last, even if a permit is free") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a'), b = takers.add('b');
    ticks();
    for (int i = 0; i < 3; ++i) takers.semaphore.release();
    CHECK(takers.semaphore.value() == 1);
    CHECK(takers.semaphore.locked());
    CHECK(!takers.semaphore.try_acquire());
    const auto late = takers.add('l');
    takers.semaphore.acquire();
    takers.log += 'm';
    CHECK(takers.log == "abm");
    CHECK(takers.semaphore.value() == 0);
    takers.semaphore.release();
    await(late);
  });
}

TEST_CASE("who gives a permit back and takes one again lets those that wait go first") {
  on_loop([] {
    Semaphore semaphore(1);
    std::string log;
    const auto twice = [&](const char* name) {
      return create_task([&semaphore, &log, name] {
        for (const char* time : {"1 ", "2 "}) {
          semaphore.acquire();
          log += std::string(name) + time;
          sleep(10ms);
          semaphore.release();
        }
      });
    };
    const auto a = twice("a"), b = twice("b"), c = twice("c");
    for (const Task<>& task : {a, b, c}) await(task);
    CHECK(log == "a1 b1 c1 a2 b2 c2 ");
  });
}

TEST_CASE("a Semaphore keeps the order when a task that just got a permit asks for another") {
  on_loop([] {
    Takers takers(1);
    const auto a = takers.add('1');
    const auto b = create_task([&] {
      takers.semaphore.acquire();
      takers.log += '2';
      takers.semaphore.release();
      takers.semaphore.acquire();
      takers.log += '4';
    });
    const auto c = takers.add('3');
    ticks();
    takers.semaphore.release();
    takers.semaphore.release();
    await(b);
    await(c);
    CHECK(takers.log == "1234");
  });
}

TEST_CASE("the first that gets its permit wakes all others for whom there is one") {
  on_loop([] {
    Semaphore semaphore(0);
    std::string log;
    Task<> four;
    const auto one = create_task([&] {
      semaphore.acquire();
      CHECK(semaphore.value() == 0);  // the others are woken
      four = create_task([&] { log += '4'; });
      log += '1';
    });
    const auto two = create_task([&] {
      for (int i = 0; i < 3; ++i) semaphore.release();
      CHECK(semaphore.value() == 2);
      CHECK(semaphore.locked());  // for 1 has not gone on yet
      semaphore.acquire();
      log += '2';
    });
    const auto three = create_task([&] {
      semaphore.acquire();
      CHECK(semaphore.locked());
      log += '3';
    });
    ticks();
    CHECK(semaphore.value() == 2);
    CHECK(semaphore.n_waiting() == 3);
    ticks();
    for (const Task<>& task : {one, two, three, four}) await(task);
    CHECK(log == "1234");
  });
}

TEST_CASE("a task that is cancelled while it waits for a Semaphore leaves no trace in it") {
  on_loop([] {
    Semaphore semaphore;
    semaphore.acquire();
    const auto task = create_task([&] { semaphore.acquire(); });
    get_running_loop().call_soon([&] { task.cancel(); });
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(semaphore.n_waiting() == 0);
    semaphore.release();
    CHECK(semaphore.value() == 1);
  });
}

TEST_CASE("Semaphore.release passes over those who were cancelled") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a'), b = takers.add('b'), c = takers.add('c'), d = takers.add('d');
    ticks();
    a.cancel();
    b.cancel();
    takers.semaphore.release();
    ticks(2);
    CHECK(takers.log == "c");
    CHECK(c.done());
    CHECK(!d.done());
    CHECK(all_cancelled(d));
  });
}

TEST_CASE("a waiter that was given a permit and is then cancelled gives it to the next") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a'), b = takers.add('b');
    ticks();
    takers.semaphore.release();
    a.cancel();
    ticks(2);
    CHECK(a.cancelled());
    CHECK(takers.log == "b");
    CHECK(takers.semaphore.value() == 0);
    CHECK(takers.semaphore.locked());
    CHECK(b.done());
  });
}

TEST_CASE("a waiter that was given a permit and is then cancelled gives it back if nobody waits") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a');
    ticks();
    takers.semaphore.release();
    CHECK(takers.semaphore.value() == 0);
    a.cancel();
    ticks();
    CHECK(takers.semaphore.value() == 1);
    CHECK(!takers.semaphore.locked());
  });
}

TEST_CASE("a waiter that is cancelled by who releases the Semaphore does not keep its permit") {
  on_loop([] {
    Semaphore semaphore(1);
    Task<> two;
    const auto one = create_task([&] {
      {
        const std::unique_lock hold(semaphore);
        ticks();
      }
      two.cancel();
    });
    two = create_task([&] { const std::unique_lock hold(semaphore); });
    await(one);
    CHECK(is_cancelled([&] { await(two); }));
    CHECK(semaphore.try_acquire());
  });
}

TEST_CASE("those behind a cancelled waiter keep their order") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a'), b = takers.add('b'), c = takers.add('c');
    ticks();
    a.cancel();
    ticks();
    takers.semaphore.release();
    takers.semaphore.release();
    await(b);
    await(c);
    CHECK(takers.log == "bc");
  });
}

TEST_CASE("a Semaphore that only cancelled tasks wait for can be taken at once") {
  on_loop([] {
    Takers takers(0);
    const auto a = takers.add('a');
    ticks();
    a.cancel();
    CHECK(takers.semaphore.locked());
    takers.semaphore.release();
    CHECK(!takers.semaphore.locked());
    takers.semaphore.acquire();
    CHECK(takers.semaphore.n_waiting() == 1);  // it did not switch
    CHECK(all_cancelled(a));
  });
}

TEST_CASE("thousands that wait for a Semaphore all get a permit, in order") {
  on_loop([] {
    Semaphore semaphore(0);
    constexpr int count = 5000;
    std::vector<int> order;
    std::vector<Task<>> tasks;
    for (int i = 0; i < count; ++i) {
      tasks.push_back(create_task([&semaphore, &order, i] {
        semaphore.acquire();
        order.push_back(i);
      }));
    }
    ticks();
    for (int i = 0; i < count; ++i) semaphore.release();
    for (const auto& task : tasks) await(task);
    REQUIRE(order.size() == count);
    for (int i = 0; i < count; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
    CHECK(semaphore.value() == 0);
  });
}

TEST_CASE("a Semaphore belongs to the first loop whose task waits in it") {
  Semaphore semaphore(0);
  on_loop([&] {
    get_running_loop().call_soon([&] { semaphore.release(); });
    semaphore.acquire();
  });
  on_loop([&] {
    CHECK_THROWS_WITH(semaphore.acquire(), Catch::Contains("it belongs to another loop"));
  });
}

TEST_CASE("Semaphore.acquire outside a task is a RuntimeError, even if a permit is free") {
  Semaphore semaphore;
  CHECK_THROWS_WITH(semaphore.acquire(), Catch::Contains("Semaphore.acquire() outside a task"));
  CHECK(semaphore.value() == 1);
  BoundedSemaphore bounded;
  CHECK_THROWS_WITH(bounded.acquire(), Catch::Contains("BoundedSemaphore.acquire()"));
}

TEST_CASE("a Semaphore that is destroyed while tasks wait in it ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      std::optional<Semaphore> semaphore(0);
      const auto task = create_task([&] { semaphore->acquire(); });
      ticks();
      semaphore->release();
      semaphore.reset();  // the permit is the task's already
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("destroyed while 1 task waits in Semaphore.acquire()"));
}

TEST_CASE("a Semaphore may go while tasks that were cancelled have not left it yet") {
  on_loop([] {
    std::optional<Semaphore> semaphore(0);
    const auto task = create_task([&] { semaphore->acquire(); });
    ticks();
    task.cancel();
    semaphore.reset();
    CHECK(is_cancelled([&] { await(task); }));
  });
}
