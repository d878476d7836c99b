// Locks and queues as asyncio has them: rows 31 to 34.

#include <mutex>
#include <string>

#include <catch2/catch.hpp>

#include "rows.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::Lock;

TEST_CASE("a lock goes to those who wait in their order, and nobody overtakes them", "[row-31]") {
  CHECK(row([](Log& log) {
          Lock lock;
          const auto worker = [&](const std::string& name) {
            return [&log, &lock, name] {
              const std::unique_lock hold(lock);
              log("in" + name);
              ticks();
              log("out" + name);
            };
          };
          const auto one = create_task(worker("1"));
          const auto two = create_task(worker("2"));
          const auto three = create_task(worker("3"));
          ticks(2);
          const auto barger = create_task([&] {
            const std::unique_lock hold(lock);
            log("barger");
          });
          jumpcut::gather(one, two, three, barger);
        }) == "in1 out1 in2 out2 in3 out3 barger");
}

TEST_CASE("who unlocks and locks again waits for its turn", "[row-31]") {
  CHECK(row([](Log& log) {
          Lock lock;
          lock.lock();
          const auto waiter = create_task([&] {
            const std::unique_lock hold(lock);
            log("waiter");
          });
          ticks();
          lock.unlock();
          log(lock.locked() ? "locked" : "unlocked");
          lock.lock();
          log("main");
          lock.unlock();
        }) == "unlocked waiter main");
}

TEST_CASE("a task that is cancelled as the lock comes to it passes it on", "[row-31]") {
  CHECK(row([](Log& log) {
          Lock lock;
          lock.lock();
          const auto worker = [&](const char* name) {
            return [&log, &lock, name] {
              log.outcome(name, [&] {
                lock.lock();
                lock.unlock();
              });
            };
          };
          const auto one = create_task(worker("1"));
          const auto two = create_task(worker("2"));
          ticks();
          lock.unlock();
          one.cancel();
          jumpcut::gather(one, two);
          log(lock.locked() ? "locked" : "unlocked");
        }) == "1-cancelled 2-ok unlocked");
}

TEST_CASE("a semaphore lets so many in, in their order", "[row-32]") {
  CHECK(row([](Log& log) {
          jumpcut::Semaphore semaphore(2);
          const auto user = [&](int number) {
            return [&log, &semaphore, number] {
              const std::unique_lock hold(semaphore);
              log("+" + std::to_string(number));
              ticks(2);
              log("-" + std::to_string(number));
            };
          };
          jumpcut::gather(user(0), user(1), user(2), user(3), user(4));
        }) == "+0 +1 -0 -1 +2 +3 -2 -3 +4 -4");
}

TEST_CASE("a permit that is given back belongs to the first that waits", "[row-32]") {
  CHECK(row([](Log& log) {
          jumpcut::Semaphore semaphore(0);
          const auto getter = [&](const char* name) {
            return [&log, &semaphore, name] {
              semaphore.acquire();
              log(name);
            };
          };
          const auto first = create_task(getter("got0"));
          const auto second = create_task(getter("got1"));
          const auto third = create_task(getter("got2"));
          ticks();
          semaphore.release();
          semaphore.release();
          log(std::to_string(semaphore.value()));
          const auto barger = create_task(getter("barge"));
          ticks(2);
          semaphore.release();
          semaphore.release();
          jumpcut::gather(first, second, third, barger);
        }) == "0 got0 got1 got2 barge");
}

TEST_CASE("an event that is set and cleared at once wakes all that wait", "[row-33]") {
  CHECK(row([](Log& log) {
          jumpcut::Event event;
          const auto waiter = [&](const char* name) {
            return [&log, &event, name] {
              event.wait();
              log(name);
            };
          };
          const auto zero = create_task(waiter("0"));
          const auto one = create_task(waiter("1"));
          const auto two = create_task(waiter("2"));
          ticks();
          event.set();
          event.clear();
          jumpcut::gather(zero, one, two);
        }) == "0 1 2");
}

TEST_CASE("a task that is cancelled in a condition gets the lock back first", "[row-33]") {
  CHECK(row([](Log& log) {
          jumpcut::Condition condition;
          const auto waiter = create_task([&] {
            const std::unique_lock hold(condition);
            try {
              condition.wait();
            } catch (const Cancelled&) {
              log(condition.locked() ? "with-lock" : "without");
              throw;
            }
          });
          ticks();
          condition.lock();
          waiter.cancel();
          ticks(3);
          log(waiter.done() ? "done" : "pending");
          condition.unlock();
          log.outcome("waiter", [&] { await(waiter); });
          log(condition.locked() ? "locked" : "unlocked");
        }) == "pending with-lock waiter-cancelled unlocked");
}

TEST_CASE("the last party of a barrier goes first; abort breaks it and reset mends it",
          "[row-33]") {
  CHECK(row([](Log& log) {
          jumpcut::Barrier barrier(3);
          const auto party = [&] { log(std::to_string(barrier.wait())); };
          jumpcut::gather(party, party, party);
          const auto waiter = create_task([&] {
            try {
              barrier.wait();
            } catch (const jumpcut::BrokenBarrierError&) {
              log("broken");
            }
          });
          ticks();
          barrier.abort();
          await(waiter);
          CHECK(barrier.broken());
          barrier.reset();
          jumpcut::gather(party, party, party);
        }) == "2 0 1 broken 2 0 1");
}

TEST_CASE("a running task takes the item before the getter that was woken for it", "[row-34]") {
  CHECK(row([](Log& log) {
          jumpcut::Queue<int> queue;
          const auto getter = [&](const std::string& name) {
            return [&log, &queue, name] { log(name + std::to_string(queue.get())); };
          };
          const auto a = create_task(getter("a"));
          const auto b = create_task(getter("b"));
          ticks();
          queue.put_nowait(1);
          log("main" + std::to_string(queue.get_nowait()));
          ticks();
          queue.put_nowait(2);
          queue.put_nowait(3);
          jumpcut::gather(a, b);
        }) == "main1 b2 a3");
}

TEST_CASE("a getter that is cancelled as the item comes leaves it to the next", "[row-34]") {
  CHECK(row([](Log& log) {
          jumpcut::Queue<int> queue;
          const auto getter = [&](const char* name) {
            return [&log, &queue, name] { log.outcome(name, [&] { return queue.get(); }); };
          };
          const auto a = create_task(getter("a"));
          const auto b = create_task(getter("b"));
          ticks();
          queue.put_nowait(1);
          a.cancel();
          jumpcut::gather(a, b);
        }) == "a-cancelled b-1");
}

TEST_CASE("a queue that is shut down ends waits to put, then waits to get, then join", "[row-34]") {
  CHECK(row([](Log& log) {
          jumpcut::Queue<int> queue(1);
          queue.put_nowait(1);
          const auto putter = create_task([&] {
            try {
              queue.put(2);
            } catch (const jumpcut::QueueShutDown&) {
              log("putter");
            }
          });
          const auto joiner = create_task([&] {
            queue.join();
            log("joined");
          });
          ticks();
          queue.shutdown();
          await(putter);
          log(std::to_string(queue.get()));
          queue.task_done();
          try {
            queue.get();
          } catch (const jumpcut::QueueShutDown&) {
            log("getter");
          }
          await(joiner);

          jumpcut::Queue<int> other;
          other.put_nowait(1);
          const auto waiter = create_task([&] {
            other.join();
            log("joined");
          });
          ticks();
          other.shutdown(true);
          await(waiter);
          CHECK_THROWS_AS(other.get_nowait(), jumpcut::QueueShutDown);
        }) == "putter 1 getter joined joined");
}
