// Waiting for several, deadlines and groups as asyncio has them: rows 19 to 30.

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "rows.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::current_task;
using jumpcut::Future, jumpcut::gather, jumpcut::get_running_loop, jumpcut::sleep;
using jumpcut::Task, jumpcut::task_group, jumpcut::TimeoutError;

namespace {

/// Logs when it is cancelled.
auto sleeper(Log& log, const std::string& name) {
  return [&log, name] {
    try {
      sleep(1h);
    } catch (const Cancelled&) {
      log(name);
      throw;
    }
  };
}

/// The texts of a group's exceptions, groups in brackets.
std::string texts(const jumpcut::ExceptionGroup& group) {
  std::string text = "[";
  for (const auto& error : group.exceptions()) {
    if (text.size() > 1) text += ",";
    try {
      std::rethrow_exception(error);
    } catch (const jumpcut::ExceptionGroup& inner) {
      text += texts(inner);
    } catch (const std::exception& one) {
      text += one.what();
    }
  }
  return text + "]";
}

template <class Body>
void group_outcome(Log& log, Body body) {
  try {
    task_group(body);
    log("ok");
  } catch (const jumpcut::ExceptionGroup& group) {
    log(texts(group));
  } catch (const Cancelled& cancelled) {
    log("cancelled(" + cancelled.message() + ")");
  }
}

}  // namespace

TEST_CASE("gather throws at the first error and lets the others go on", "[row-19]") {
  CHECK(row([](Log& log) {
          const auto worker = [&](const char* name, int count) {
            return [&log, name, count] {
              ticks(count);
              log(name);
            };
          };
          const auto a = create_task(worker("a", 4));
          const auto bad = create_task([&] {
            ticks();
            log("bad");
            throw Boom("VE");
          });
          const auto b = create_task(worker("b", 6));
          const auto all = jumpcut::gather_future(a, bad, b);
          log.outcome("gather", [&] { await(all); });
          CHECK(!a.done());
          CHECK(!all.cancel());
          await(a);
          await(b);
        }) == "bad gather-VE a b");
}

TEST_CASE("gather takes the same task twice, and nothing at all; and ends a tick after the last",
          "[row-20]") {
  row([](Log&) {
    const auto a = create_task([] { return 1; });
    const auto values = gather(std::vector<Task<int>>{a, create_task([] { return 2; }), a});
    CHECK(values == std::vector<int>{1, 2, 1});
    const auto none = jumpcut::gather_future(std::vector<Task<int>>{});
    ticks();
    CHECK(none.done());
    CHECK(gather(std::vector<Task<int>>{}).empty());
    const auto before = get_running_loop().stats().ticks;
    gather([] { ticks(); }, [] { ticks(); });
    CHECK(get_running_loop().stats().ticks - before == 4);  // 1 and 2 to end, 3 to gather
  });
}

TEST_CASE("cancelling a gather cancels its children, and then it", "[row-21]") {
  CHECK(row([](Log& log) {
          const auto parent = create_task([&] {
            log.outcome("parent", [&] {
              jumpcut::gather_results(sleeper(log, "child1"), sleeper(log, "child2"));
            });
          });
          ticks(2);
          parent.cancel("why");
          await(parent);
        }) == "child1 child2 parent-cancelled(why)");
}

TEST_CASE("a child that is cancelled alone is an error of its gather, which is not cancelled",
          "[row-21]") {
  CHECK(row([](Log& log) {
          const auto a = create_task([] { return sleep(1h), 1; });
          const auto b = create_task([] { return ticks(2), 2; });
          ticks();
          a.cancel();
          const auto all = jumpcut::gather_future(a, b);
          log.outcome("gather", [&] { await(all); });
          CHECK(!all.cancelled());
          log.outcome("b", [&] { return await(b); });
          const auto [first, second] = jumpcut::gather_results(a, b);
          CHECK(first.is_cancelled());
          CHECK(second.value() == 2);
        }) == "gather-cancelled b-2");
}

TEST_CASE("wait returns all that ended in one tick, and cancels nobody", "[row-22]") {
  CHECK(row([](Log& log) {
          const auto one = create_task([] { ticks(); });
          const auto two = create_task([] { ticks(); });
          const auto three = create_task([] { sleep(1s); });
          const auto first = jumpcut::wait({one, two, three},
                                           {.return_when = jumpcut::ReturnWhen::first_completed});
          log(std::to_string(first.done.size()) + std::to_string(first.pending.size()));
          const auto now = jumpcut::wait({three}, {.timeout = 0ns});
          log(std::to_string(now.done.size()) + std::to_string(now.pending.size()));
          CHECK(!three.cancelled());
          const auto waiter = create_task([&] { jumpcut::wait({three}); });
          ticks();
          waiter.cancel();
          log.outcome("waiter", [&] { await(waiter); });
          log.outcome("three", [&] { await(three); });
        }) == "21 01 waiter-cancelled three-ok");
}

TEST_CASE("as_completed gives the tasks themselves as they end, until its time is over",
          "[row-23]") {
  CHECK(row([](Log& log) {
          std::vector<Task<int>> tasks;
          for (int seconds : {3, 1, 2}) {
            tasks.push_back(create_task([seconds] { return sleep(seconds * 1s), seconds; }));
          }
          for (const auto& task : jumpcut::as_completed(tasks).tasks()) {
            CHECK(std::find(tasks.begin(), tasks.end(), task) != tasks.end());
            log(std::to_string(task.result()));
          }
          const auto slow = create_task([] { sleep(1h); });
          log.outcome("late", [&] {
            for (auto next : jumpcut::as_completed({slow}, 1s)) await(next);
          });
          CHECK(!slow.done());
        }) == "1 2 3 late-timeout");
}

TEST_CASE("wait_for waits for the clean-up of what it has cancelled", "[row-24]") {
  CHECK(row([](Log& log) {
          log.outcome("wait_for", [&] {
            jumpcut::wait_for(
                [&] {
                  try {
                    sleep(1h);
                  } catch (const Cancelled&) {
                    log("cancelled");
                    sleep(1s);
                    log("cleaned-up");
                    throw;
                  }
                },
                1s);
          });
          CHECK(current_task().cancelling() == 0);
        }) == "cancelled cleaned-up wait_for-timeout");
}

TEST_CASE(
    "wait_for: no time, a body that returns or throws all the same, a caller that is cancelled",
    "[row-24]") {
  CHECK(row([](Log& log) {
          log.outcome("none", [&] { jumpcut::wait_for([&] { log("never"); }, 0s); });
          log.outcome("returns", [&] {
            return jumpcut::wait_for(
                [&] {
                  try {
                    sleep(1h);
                  } catch (const Cancelled&) {
                  }
                  return 4;
                },
                1s);
          });
          log.outcome("throws", [&] {
            jumpcut::wait_for(
                [&] {
                  try {
                    sleep(1h);
                  } catch (const Cancelled&) {
                    throw Boom("own");
                  }
                },
                1s);
          });
          const auto caller = create_task([&] { jumpcut::wait_for([] { sleep(1h); }, 1h); });
          ticks();
          caller.cancel();
          log.outcome("caller", [&] { await(caller); });
        }) == "none-timeout returns-4 throws-own caller-cancelled");
}

TEST_CASE("a cancellation that comes with the deadline counts more", "[row-25]") {
  for (const bool deadline_first : {true, false}) {
    CHECK(row([&](Log& log) {
            Task<> task;
            const auto when = get_running_loop().time() + 1s;
            const auto cancel_later = [&] {
              get_running_loop().call_at(when, [&] { task.cancel(); });
            };
            if (!deadline_first) cancel_later();
            task = create_task([&] {
              log.outcome("timeout", [&] { jumpcut::timeout_at(when, [] { sleep(1h); }); });
              log(std::to_string(current_task().cancelling()));
            });
            ticks();
            if (deadline_first) cancel_later();
            await(task);
          }) == "timeout-cancelled 1");
  }
}

TEST_CASE("a deadline that comes before the woken task's turn takes its result away", "[row-25]") {
  CHECK(row([](Log& log) {
          const Future<int> future;
          const auto when = get_running_loop().time() + 1s;
          get_running_loop().call_at(when, [&] { future.set_result(1); });
          log.outcome("timeout",
                      [&] { return jumpcut::timeout_at(when, [&] { return await(future); }); });
        }) == "timeout-timeout");
}

TEST_CASE("of two timeouts the one that is over throws", "[row-26]") {
  CHECK(row([](Log& log) {
          log.outcome("outer", [&] {
            jumpcut::timeout(1s, [&] {
              jumpcut::timeout(2s, [&](jumpcut::Timeout& inner) {
                try {
                  sleep(1h);
                } catch (const Cancelled&) {
                  log(inner.expired() ? "expired" : "not-expired");
                  throw;
                }
              });
            });
          });
          log.outcome("outer", [&] {
            jumpcut::timeout(2s, [&] {
              log.outcome("inner", [] { jumpcut::timeout(1s, [] { sleep(1h); }); });
              log("goes-on");
            });
          });
        }) == "not-expired outer-timeout inner-timeout goes-on outer-ok");
}

TEST_CASE("a deadline that has passed interrupts the first wait; a body may swallow that",
          "[row-26]") {
  CHECK(row([](Log& log) {
          log.outcome("past", [&] {
            jumpcut::timeout(-1s, [&] {
              log("body");
              soon(log, "cs");
              ticks(2);
            });
          });
          jumpcut::timeout(1s, [&](jumpcut::Timeout& timeout) {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
            }
            log(timeout.expired() ? "expired" : "not-expired");
          });
          log(std::to_string(current_task().cancelling()));
        }) == "body cs past-timeout expired 0");
}

TEST_CASE("a shield keeps the caller's cancellation away, not the task's own", "[row-27]") {
  CHECK(row([](Log& log) {
          const auto inner = create_task([&] {
            ticks(3);
            log("inner");
            return 1;
          });
          const auto outer = create_task([&] { return jumpcut::shield(inner); });
          ticks();
          outer.cancel();
          log.outcome("outer", [&] { return await(outer); });
          CHECK(!inner.done());
          log.outcome("await", [&] { return await(inner); });

          const auto second = create_task(sleeper(log, "second"));
          const auto caller = create_task([&] { jumpcut::shield(second); });
          ticks();
          second.cancel();
          log.outcome("caller", [&] { await(caller); });
        }) == "outer-cancelled inner await-1 second caller-cancelled");
}

TEST_CASE("a task that fails cancels its group and the group's body, which is not left cancelled",
          "[row-28]") {
  CHECK(row([](Log& log) {
          group_outcome(log, [&](jumpcut::TaskGroup& group) {
            group.create_task(sleeper(log, "w1"));
            group.create_task([] {
              try {
                sleep(1h);
              } catch (const Cancelled&) {
                throw Boom("KE");
              }
            });
            group.create_task([] {
              ticks();
              throw Boom("VE");
            });
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              log("body" + std::to_string(current_task().cancelling()));
              throw;
            }
          });
          log(std::to_string(current_task().cancelling()));
        }) == "w1 body1 [VE,KE] 0");
}

TEST_CASE("a group's error has what failed, in that order, and groups in it", "[row-29]") {
  CHECK(row([](Log& log) {
          group_outcome(log, [&](jumpcut::TaskGroup& group) {
            group.create_task([&] { log("never"); });
            throw Boom("body");
          });
          group_outcome(log, [&](jumpcut::TaskGroup& group) {
            group.create_task([] { throw Boom("a"); });
            group.create_task([] { throw Boom("b"); });
            group.create_task([] {
              ticks();
              throw Boom("c");
            });
          });
          group_outcome(log, [&](jumpcut::TaskGroup& outer) {
            outer.create_task([] {
              ticks();
              throw Boom("outer");
            });
            task_group([&](jumpcut::TaskGroup& inner) {
              inner.create_task([] {
                ticks();
                throw Boom("inner");
              });
            });
          });
          log(std::to_string(current_task().cancelling()));
        }) == "[body] [a,b] [outer,[inner]] 0");
}

TEST_CASE("a group whose task is cancelled cancels its own, and throws that, or their errors",
          "[row-30]") {
  CHECK(row([](Log& log) {
          const auto plain = create_task([&] {
            group_outcome(log, [&](jumpcut::TaskGroup& group) {
              group.create_task(sleeper(log, "a"));
              group.create_task(sleeper(log, "b"));
            });
            log(std::to_string(current_task().cancelling()));
          });
          ticks(2);
          plain.cancel("m");
          await(plain);

          const auto failing = create_task([&] {
            group_outcome(log, [&](jumpcut::TaskGroup& group) {
              group.create_task([] {
                try {
                  sleep(1h);
                } catch (const Cancelled&) {
                  throw Boom("VE");
                }
              });
            });
            log(std::to_string(current_task().cancelling()));
            log.outcome("next", [] { ticks(); });
          });
          ticks(2);
          failing.cancel();
          await(failing);
        }) == "a b cancelled(m) 1 [VE] 1 next-cancelled");
}
