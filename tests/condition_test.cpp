// jumpcut/condition.hpp: waiting with a lock, and what cancellation does to it.

#include <jumpcut/condition.hpp>

#include <jumpcut/impl/scope_base.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <mutex>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

using jumpcut::Cancelled;
using jumpcut::Condition;
using jumpcut::create_task;
using jumpcut::get_running_loop;
using jumpcut::Lock;
using jumpcut::RuntimeError;
using jumpcut::sleep;

namespace {

/// Tasks that wait once, and log their names with the lock held.
struct Waiters {
  Condition condition;
  std::string log;

  auto add(char name, bool unlocks = true) {
    return create_task([this, name, unlocks] {
      condition.lock();
      condition.wait();
      log += name;
      if (unlocks) condition.unlock();
    });
  }
  void notify(std::size_t count) {
    const std::unique_lock hold(condition);
    condition.notify(count);
  }
};

/// Two consumers of what `state` counts; below 0 they end.
struct Consumers {
  Condition condition;
  int state = 0;

  auto add() {
    return create_task([this] {
      const std::unique_lock hold(condition);
      for (;;) {
        condition.wait_for([&] { return state != 0; });
        if (state < 0) return;
        --state;
      }
    });
  }
  /// With the lock held, but for a while.
  void let_consume() {
    condition.unlock();
    ticks(5);
    condition.lock();
  }
  void end() {
    state = -1;
    condition.notify_all();
  }
};

/// A scope that is cancelled already: everything in it is cancelled as soon as it parks.
class CancelledScope final : public jumpcut::impl::ScopeBase {
 public:
  CancelledScope() : ScopeBase(jumpcut::impl::TaskBase::running("CancelledScope")) {}
  void cancel() { ScopeBase::cancel(jumpcut::impl::make_cancelled({})); }
};

}  // namespace

TEST_CASE("a Condition locks and unlocks its lock") {
  on_loop([] {
    Condition condition;
    CHECK(!condition.locked());
    {
      const std::unique_lock hold(condition);
      CHECK(condition.locked());
      CHECK(!condition.try_lock());
    }
    CHECK(!condition.locked());
    condition.acquire();
    CHECK(condition.locked());
    condition.release();
    CHECK(condition.try_lock());
    condition.unlock();
    CHECK_THROWS_AS(condition.unlock(), RuntimeError);
  });
}

TEST_CASE("a Condition can share a Lock that others use") {
  on_loop([] {
    Lock lock;
    Condition condition(lock);
    {
      const std::unique_lock hold(condition);
      CHECK(lock.locked());
    }
    CHECK(!lock.locked());
    const std::unique_lock hold(lock);
    CHECK(condition.locked());
  });
}

TEST_CASE("two Conditions of one Lock wake their own waiters only") {
  on_loop([] {
    Lock lock;
    Condition one(lock), other(lock);
    std::string log;
    const auto waits = [&](Condition& condition, char name) {
      return create_task([&, name] {
        const std::unique_lock hold(lock);
        condition.wait();
        log += name;
      });
    };
    const auto a = waits(one, 'a'), b = waits(other, 'b');
    ticks();
    lock.lock();
    other.notify_all();
    lock.unlock();
    await(b);
    CHECK(log == "b");
    CHECK(all_cancelled(a));
  });
}

TEST_CASE("Condition.wait unlocks the lock, and has it locked again when it returns") {
  on_loop([] {
    Waiters waiters;
    Condition& condition = waiters.condition;
    const auto a = waiters.add('a', false), b = waiters.add('b', false),
               c = waiters.add('c', false);
    ticks();
    CHECK(waiters.log.empty());
    CHECK(!condition.locked());
    CHECK(condition.n_waiting() == 3);

    condition.lock();
    condition.notify();
    ticks();
    CHECK(waiters.log.empty());
    CHECK(condition.locked());

    condition.unlock();
    ticks();
    CHECK(waiters.log == "a");
    CHECK(condition.locked());

    condition.notify(2);
    ticks();
    CHECK(waiters.log == "a");

    condition.unlock();
    ticks();
    CHECK(waiters.log == "ab");
    condition.unlock();
    ticks();
    CHECK(waiters.log == "abc");
    CHECK(condition.locked());
    CHECK((a.done() && b.done() && c.done()));
  });
}

TEST_CASE("Condition.notify wakes so many, in the order in which they came") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b'), c = waiters.add('c');
    ticks();
    waiters.notify(0);
    ticks();
    CHECK(waiters.log.empty());
    waiters.notify(1);
    ticks();
    CHECK(waiters.log == "a");
    {
      const std::unique_lock hold(waiters.condition);
      waiters.condition.notify(1);
      waiters.condition.notify(2048);
    }
    ticks();
    CHECK(waiters.log == "abc");
    CHECK((a.done() && b.done() && c.done()));
  });
}

TEST_CASE("Condition.notify_all wakes all") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b');
    ticks();
    waiters.condition.lock();
    waiters.condition.notify_all();
    waiters.condition.unlock();
    ticks();
    CHECK(waiters.log == "ab");
    CHECK((a.done() && b.done()));
  });
}

TEST_CASE("Condition.notify does not count those who were cancelled") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b');
    ticks();
    a.cancel();
    waiters.notify(1);
    ticks();
    CHECK(a.cancelled());
    waiters.condition.unlock();  // which a's task ended with
    await(b);
    CHECK(waiters.log == "b");
  });
}

TEST_CASE("Condition.notify with nobody waiting is lost") {
  on_loop([] {
    Waiters waiters;
    waiters.notify(1);
    const auto a = waiters.add('a');
    ticks(3);
    CHECK(waiters.log.empty());
    waiters.notify(1);
    await(a);
  });
}

TEST_CASE("Condition.wait, notify and notify_all need the lock to be locked") {
  on_loop([] {
    Condition condition;
    CHECK_THROWS_WITH(condition.wait(),
                      "Condition.wait(): the lock is not locked; lock() it first");
    CHECK_THROWS_WITH(condition.notify(), Catch::Contains("Condition.notify: the lock is not"));
    CHECK_THROWS_AS(condition.notify_all(), RuntimeError);
  });
}

TEST_CASE("Condition.wait_for waits until the predicate holds, and returns what it returned") {
  on_loop([] {
    Condition condition;
    int value = 0, result = 0, asked = 0;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      result = condition.wait_for([&] {
        ++asked;
        CHECK(condition.locked());
        return value;
      });
    });
    ticks();
    const auto notify = [&] {
      const std::unique_lock hold(condition);
      condition.notify();
    };
    notify();
    ticks();
    CHECK(!task.done());
    CHECK(asked == 2);
    value = 7;
    notify();
    ticks();
    CHECK(task.done());
    CHECK(result == 7);
    CHECK(asked == 3);
  });
}

TEST_CASE("Condition.wait_for whose predicate holds at once needs no lock") {
  on_loop([] {
    Condition condition;
    CHECK(condition.wait_for([] { return 3; }) == 3);
    CHECK(!condition.locked());
    CHECK_THROWS_AS(condition.wait_for([] { return false; }), RuntimeError);
  });
}

TEST_CASE("a task that is cancelled in Condition.wait goes on with the lock") {
  on_loop([] {
    Condition condition;
    condition.lock();
    const auto task = create_task([&] { condition.wait(); });
    get_running_loop().call_soon([&] { task.cancel(); });
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(condition.n_waiting() == 0);
    CHECK(condition.locked());
    condition.unlock();
  });
}

TEST_CASE("a cancelled Condition.wait ends only when the lock is free") {
  on_loop([] {
    Condition condition;
    std::string log;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      try {
        condition.wait();
      } catch (const Cancelled&) {
        log += condition.locked() ? "locked" : "unlocked";
        throw;
      }
    });
    ticks();
    condition.lock();
    task.cancel();
    ticks(5);
    CHECK(!task.done());
    condition.unlock();
    ticks();
    CHECK(task.cancelled());
    CHECK(log == "locked");
    CHECK(!condition.locked());
  });
}

TEST_CASE(
    "a task that was notified and is cancelled as it gets the lock goes on without Cancelled") {
  on_loop([] {
    Condition condition;
    condition.lock();
    const auto task = create_task([&] { condition.wait(); });
    ticks();
    CHECK(!condition.locked());
    condition.lock();
    condition.notify();
    get_running_loop().call_soon([&] { task.cancel(); });
    get_running_loop().call_soon([&] { condition.unlock(); });
    is_cancelled([&] { await(task); });
    CHECK(condition.locked());
    condition.unlock();
  });
}

TEST_CASE("a cancellation that comes while Condition.wait locks again is held back until it has") {
  on_loop([] {
    Condition condition;
    bool reached = false;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      reached = true;
      condition.wait();
    });
    ticks();
    condition.lock();
    condition.notify();
    ticks();  // it gets to lock()
    task.cancel();
    ticks();  // and is cancelled there
    CHECK(!task.done());
    condition.unlock();
    ticks();
    CHECK(task.cancelled());
    CHECK(reached);
    CHECK(!condition.locked());
  });
}

TEST_CASE("the last of several cancellations in Condition.wait is the one that is thrown") {
  on_loop([] {
    Condition condition;
    std::string message;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      try {
        condition.wait();
      } catch (const Cancelled& cancelled) {
        message = cancelled.message();
        throw;
      }
    });
    ticks();
    condition.lock();
    for (const char* text : {"first", "second", "third"}) {
      task.cancel(text);
      ticks();
    }
    condition.unlock();
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(message == "third");
  });
}

TEST_CASE("the message of a cancellation comes out of Condition.wait_for as it went in") {
  on_loop([] {
    const bool while_locking = GENERATE(false, true);
    Condition condition;
    bool wake = false;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      condition.wait_for([&] { return wake; });
    });
    ticks();
    if (while_locking) {
      condition.lock();
      wake = true;
      condition.notify();
      ticks();
    }
    task.cancel("foo");
    if (while_locking) condition.unlock();
    std::string message;
    try {
      await(task);
    } catch (const Cancelled& cancelled) {
      message = cancelled.message();
    }
    CHECK(message == "foo");
  });
}

TEST_CASE("a waiter that is cancelled after it was notified passes the notification on") {
  const int ticks_between = GENERATE(0, 1);  // after one it is in lock()
  on_loop([&] {
    Consumers consumers;
    const auto one = consumers.add(), two = consumers.add();
    ticks();
    {
      const std::unique_lock hold(consumers.condition);
      ++consumers.state;
      consumers.condition.notify(1);
      ticks(ticks_between);
      one.cancel();
      consumers.let_consume();
      CHECK(consumers.state == 0);
      consumers.end();
    }
    await(two);
    CHECK(one.cancelled());
  });
}

TEST_CASE("a waiter that is cancelled without having been notified wakes another for nothing") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a', false), b = waiters.add('b');
    ticks();
    a.cancel();
    ticks();
    CHECK(a.cancelled());
    waiters.condition.unlock();
    await(b);
    CHECK(waiters.log == "b");
  });
}

TEST_CASE("Condition.wait in a cancelled scope lets time go by until it has the lock") {
  on_loop([] {
    Condition condition;
    bool cancelled = false;
    CancelledScope* inside = nullptr;
    const auto task = create_task([&] {
      const std::unique_lock hold(condition);
      CancelledScope scope;
      inside = &scope;
      cancelled = is_cancelled([&] { condition.wait(); });
      CHECK(is_cancelled([] { ticks(); }));  // it holds again
    });
    ticks();
    condition.lock();
    inside->cancel();
    sleep(1h);
    CHECK(!task.done());
    condition.unlock();
    await(task);
    CHECK(cancelled);
  });
}

TEST_CASE("what a task waits for in a Condition is shown: the notification, then the lock") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a', false);
    ticks();
    CHECK(a.waiting_for() == "Condition.wait()");
    waiters.condition.lock();
    waiters.condition.notify();
    ticks();
    CHECK(a.waiting_for() == "Condition.lock()");
    waiters.condition.unlock();
    await(a);
  });
}

TEST_CASE("a Condition belongs to the first loop whose task waits in it, or in its lock") {
  Lock lock;
  on_loop([&] {
    lock.lock();
    get_running_loop().call_soon([&] { lock.unlock(); });
    lock.lock();
    lock.unlock();
  });
  on_loop([&] {
    Condition condition(lock);
    const std::unique_lock hold(condition);
    CHECK_THROWS_WITH(condition.wait(), Catch::Contains("it belongs to another loop"));
    CHECK(lock.locked());
  });
  Condition condition;
  on_loop([&] {
    const std::unique_lock hold(condition);
    get_running_loop().call_soon([&] {
      REQUIRE(condition.try_lock());
      condition.notify();
      condition.unlock();
    });
    condition.wait();
  });
  on_loop([&] {
    const std::unique_lock hold(condition);
    CHECK_THROWS_WITH(condition.wait(), Catch::Contains("it belongs to another loop"));
  });
}

TEST_CASE("Condition.wait outside a task is a RuntimeError") {
  Condition condition;
  CHECK_THROWS_WITH(condition.wait(), Catch::Contains("Condition.wait() outside a task"));
}

TEST_CASE("a Condition that is destroyed while a task waits in it ends the program and says so") {
  const bool cancels = GENERATE(false, true);
  const Ended ended = in_child([&] {
    on_loop([&] {
      std::optional<Condition> condition(std::in_place);
      const auto task = create_task([&] {
        condition->lock();
        condition->wait();
      });
      ticks();
      if (cancels) task.cancel();  // it will need the lock
      condition.reset();
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("destroyed while 1 task waits in Condition.wait()"));
}
