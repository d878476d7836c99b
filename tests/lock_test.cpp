// jumpcut/lock.hpp: who gets it, in which order, and what a cancellation passes on.

#include <jumpcut/lock.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::create_task;
using jumpcut::Deadlock;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::Lock;
using jumpcut::Loop;
using jumpcut::LoopOptions;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::VirtualClock;

TEST_CASE("a Lock is unlocked when it is made") {
  CHECK(!Lock().locked());
}

TEST_CASE("Lock.lock locks it, Lock.unlock unlocks it") {
  on_loop([] {
    Lock lock;
    lock.lock();
    CHECK(lock.locked());
    lock.unlock();
    CHECK(!lock.locked());
  });
}

TEST_CASE("Lock.acquire and Lock.release are lock and unlock by asyncio's names") {
  on_loop([] {
    Lock lock;
    lock.acquire();
    CHECK(lock.locked());
    lock.release();
    CHECK(!lock.locked());
  });
}

TEST_CASE("std::unique_lock locks a Lock for a scope, also if it is left by an exception") {
  on_loop([] {
    Lock lock;
    try {
      const std::unique_lock hold(lock);
      CHECK(lock.locked());
      throw 1;
    } catch (int) {
    }
    CHECK(!lock.locked());
  });
}

TEST_CASE("Lock.lock of an unlocked lock does not switch") {
  on_loop([] {
    Lock lock;
    const OthersTurn others;
    lock.lock();
    CHECK(!others.came());
    lock.unlock();
  });
}

TEST_CASE("Lock.unlock wakes one task at a time, in the order in which they came") {
  on_loop([] {
    Lock lock;
    std::string log;
    lock.lock();
    const auto waits = [&](char name) {
      return create_task([&lock, &log, name] {
        lock.lock();
        log += name;
      });
    };
    const auto a = waits('a'), b = waits('b');
    ticks();
    CHECK(log.empty());
    CHECK(lock.n_waiting() == 2);
    lock.unlock();
    ticks();
    CHECK(log == "a");
    ticks();
    CHECK(log == "a");
    const auto c = waits('c');
    lock.unlock();
    ticks();
    CHECK(log == "ab");
    lock.unlock();
    ticks();
    CHECK(log == "abc");
    CHECK((a.done() && b.done() && c.done()));
    CHECK(lock.n_waiting() == 0);
  });
}

TEST_CASE("who comes while others wait for a Lock goes last, even if it is unlocked") {
  on_loop([] {
    Lock lock;
    std::string log;
    const auto holder = [&](const char* name) {
      return create_task([&lock, &log, name] {
        const std::unique_lock hold(lock);
        log += std::string("in") + name + ' ';
        ticks();
        log += std::string("out") + name + ' ';
      });
    };
    const auto one = holder("1"), two = holder("2"), three = holder("3");
    ticks(2);
    lock.lock();
    log += "late";
    lock.unlock();
    CHECK(log == "in1 out1 in2 out2 in3 out3 late");
  });
}

TEST_CASE("who unlocks a Lock and locks it again lets those that wait go first") {
  on_loop([] {
    Lock lock;
    std::string log;
    lock.lock();
    const auto waiter = create_task([&] {
      const std::unique_lock hold(lock);
      log += "waiter ";
    });
    ticks();
    lock.unlock();
    CHECK(!lock.locked());
    lock.lock();
    log += "main";
    lock.unlock();
    CHECK(log == "waiter main");
    CHECK(waiter.done());
  });
}

TEST_CASE("Lock.try_lock locks what is free, and never overtakes") {
  on_loop([] {
    Lock lock;
    CHECK(lock.try_lock());
    CHECK(!lock.try_lock());
    const auto waiter = create_task([&] { lock.lock(); });
    ticks();
    lock.unlock();
    CHECK(!lock.locked());
    CHECK(!lock.try_lock());
    await(waiter);
    lock.unlock();
    CHECK(lock.try_lock());
  });
}

TEST_CASE("a task that is cancelled while it waits for a Lock leaves no trace in it") {
  on_loop([] {
    Lock lock;
    lock.lock();
    const auto task = create_task([&] { lock.lock(); });
    get_running_loop().call_soon([&] { task.cancel(); });
    CHECK(is_cancelled([&] { await(task); }));
    CHECK(lock.n_waiting() == 0);
    CHECK(lock.locked());
  });
}

TEST_CASE("Lock.unlock after the first waiter was cancelled reaches the second") {
  on_loop([] {
    Lock lock;
    const Future<> go;
    const auto holder = [&](std::optional<Future<>> until) {
      return create_task([&lock, until] {
        const std::unique_lock hold(lock);
        if (until) await(*until);
      });
    };
    const auto a = holder(go);
    ticks();
    const auto b = holder(std::nullopt), c = holder(std::nullopt);
    ticks();
    CHECK(lock.n_waiting() == 2);
    go.set_result();
    b.cancel();
    ticks();
    CHECK(!lock.locked());
    CHECK(a.done());
    CHECK(b.cancelled());
    await(c);
  });
}

TEST_CASE("a cancelled waiter and an unlock in one step let one task lock the Lock, not two") {
  on_loop([] {
    Lock lock;
    int locked = 0, called = 0;
    const auto locks = [&] {
      return create_task([&] {
        ++called;
        lock.lock();
        ++locked;
      });
    };
    lock.lock();
    const auto one = locks(), two = locks(), three = locks();
    ticks();
    get_running_loop().call_soon([&] {
      one.cancel();
      lock.unlock();
    });
    CHECK(is_cancelled([&] { await(one); }));
    CHECK(locked == 1);
    CHECK(called == 3);
    CHECK(two.done());
    CHECK(all_cancelled(three));
  });
}

namespace {

/// A Lock that is held, and two tasks that wait for it.
struct Contended {
  Lock lock;
  Task<> first, next;

  Contended() {
    lock.lock();
    first = create_task([this] { lock.lock(); });
    next = create_task([this] { lock.lock(); });
    ticks();
  }
};

}  // namespace

TEST_CASE("a waiter that is woken and then cancelled passes the Lock on to the next") {
  on_loop([] {
    Contended all;
    all.lock.unlock();
    all.first.cancel();
    ticks();
    CHECK(all.first.cancelled());
    CHECK(!all.lock.locked());
    await(all.next);
    CHECK(all.lock.locked());
  });
}

TEST_CASE("a waiter that is cancelled while a Lock is held does not let the next in") {
  on_loop([] {
    Contended all;
    all.first.cancel();
    ticks(3);
    CHECK(!all.next.done());
    CHECK(all_cancelled(all.next));
  });
}

TEST_CASE("a waiter that is cancelled before the Lock is unlocked passes it on in its own turn") {
  on_loop([] {
    Contended all;
    all.first.cancel();
    all.lock.unlock();
    ticks();
    CHECK(all.first.done());
    CHECK(!all.next.done());
    ticks();
    CHECK(all.next.done());
  });
}

TEST_CASE("a Lock that only cancelled tasks wait for can be locked at once") {
  on_loop([] {
    Lock lock;
    lock.lock();
    const auto task = create_task([&] { lock.lock(); });
    ticks();
    task.cancel();
    lock.unlock();
    CHECK(lock.n_waiting() == 1);
    lock.lock();
    CHECK(lock.n_waiting() == 1);  // it did not switch
    CHECK(all_cancelled(task));
    lock.unlock();
  });
}

TEST_CASE("Lock.unlock of an unlocked lock is a RuntimeError") {
  Lock lock;
  CHECK_THROWS_WITH(lock.unlock(), "Lock.unlock: it is not locked");
  CHECK_THROWS_AS(lock.release(), RuntimeError);
}

TEST_CASE("any task may unlock a Lock, and so may a callback") {
  on_loop([] {
    Lock lock;
    lock.lock();
    get_running_loop().call_soon([&] { lock.unlock(); });
    lock.lock();
    await(create_task([&] { lock.unlock(); }));
    CHECK(!lock.locked());
  });
}

TEST_CASE("a task that locks a Lock twice is a deadlock that is named") {
  CHECK_THROWS_WITH(on_loop([] {
                      Lock lock;
                      lock.lock();
                      lock.lock();
                    }),
                    Catch::Contains("deadlock") && Catch::Contains("Lock.lock()"));
}

TEST_CASE("what a task waits for is shown as Lock.lock()") {
  on_loop([] {
    Lock lock;
    lock.lock();
    const auto task = create_task([&] { lock.lock(); });
    ticks();
    CHECK(task.waiting_for() == "Lock.lock()");
    CHECK(all_cancelled(task));
  });
}

TEST_CASE("Lock.lock outside a task is a RuntimeError, even if it is free") {
  Lock lock;
  CHECK_THROWS_WITH(lock.lock(), Catch::Contains("Lock.lock() outside a task"));
  on_loop([&] {
    std::string text;
    get_running_loop().call_soon([&] {
      try {
        lock.lock();
      } catch (const RuntimeError& error) {
        text = error.what();
      }
    });
    ticks();
    CHECK_THAT(text, Catch::Contains("outside a task") && Catch::Contains("callback"));
  });
  CHECK(!lock.locked());
}

TEST_CASE("a Lock belongs to the first loop whose task waits in it") {
  Lock lock;
  on_loop([&] { lock.lock(); });  // without waiting
  on_loop([&] {
    get_running_loop().call_soon([&] { lock.unlock(); });
    lock.lock();
  });
  on_loop([&] {
    CHECK_THROWS_WITH(lock.lock(), Catch::Contains("Lock.lock(): it belongs to another loop"));
    CHECK(lock.n_waiting() == 0);
  });
}

TEST_CASE("Lock.unlock by another thread than that of the waiting tasks is a RuntimeError") {
  on_loop([] {
    Lock lock;
    lock.lock();
    const auto task = create_task([&] { lock.lock(); });
    ticks();
    std::string text;
    std::thread([&] {
      try {
        lock.unlock();
      } catch (const RuntimeError& error) {
        text = error.what();
      }
    }).join();
    CHECK_THAT(text, Catch::Contains("another thread") && Catch::Contains("call_soon_threadsafe"));
    CHECK(lock.locked());  // and nothing has changed
    lock.unlock();
    await(task);
  });
}

TEST_CASE("a Lock that is destroyed while tasks wait in it ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      std::optional<Lock> lock(std::in_place);
      lock->lock();
      const auto one = create_task([&] { lock->lock(); });
      const auto two = create_task([&] { lock->lock(); });
      ticks();
      lock.reset();
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output,
             Catch::Contains("jumpcut: destroyed while 2 tasks wait in Lock.lock(): cancel"));
}

TEST_CASE("a Lock may go while tasks that were cancelled have not left it yet") {
  on_loop([] {
    std::optional<Lock> lock(std::in_place);
    lock->lock();
    const auto task = create_task([&] { lock->lock(); });
    ticks();
    task.cancel();
    lock.reset();
    CHECK(is_cancelled([&] { await(task); }));
  });
}

TEST_CASE("a Lock may go after the loop in which tasks still waited for it") {
  const Ended ended = in_child([] {
    Lock lock;
    {
      VirtualClock clock;
      LoopOptions options;
      options.clock = &clock;
      Loop loop(options);
      const auto main = loop.create_task([&] {
        lock.lock();
        (void)create_task([&] {
          for (;;) is_cancelled([&] { lock.lock(); });
        });
        ticks();
      });
      loop.run_until_complete(main);
    }
    bool refused = false;
    try {
      lock.unlock();
    } catch (const RuntimeError&) {
      refused = true;
    }
    expect(refused, "nobody can be woken any more");
    std::printf("gone on\n");
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("gone on"));
}
