// jumpcut/cancel_scope.hpp: what a level-triggered scope cuts short, and what it lets pass.

#include <jumpcut/cancel_scope.hpp>
#include <jumpcut/task_group.hpp>
#include <jumpcut/timeout.hpp>

#include <string>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using jumpcut::await, jumpcut::cancel_scope, jumpcut::Cancelled, jumpcut::CancelScope;
using jumpcut::create_task, jumpcut::current_task, jumpcut::fail_after, jumpcut::Future;
using jumpcut::move_on_after, jumpcut::sleep, jumpcut::TimeoutError, jumpcut::TimePoint;

TEST_CASE("move_on_after says whether the body came to its end") {
  on_loop([] {
    CHECK(move_on_after(2s, [] { sleep(1s); }));
    CHECK_FALSE(move_on_after(2s, [] { sleep(5s); }));
    CHECK(elapsed() == 3s);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("move_on_after returns the body's value, or none if it was cut short") {
  on_loop([] {
    const std::optional<int> value = move_on_after(1s, [] { return 7; });
    CHECK(value == 7);
    CHECK(move_on_after(1s, [] {
            sleep(5s);
            return 7;
          }) == std::nullopt);
  });
}

TEST_CASE("move_on_at goes by a time on the loop's clock, and none is never") {
  on_loop([] {
    CHECK_FALSE(jumpcut::move_on_at(TimePoint(3s), [] { sleep(5s); }));
    CHECK(elapsed() == 3s);
    CHECK(jumpcut::move_on_at(std::nullopt, [] { sleep(1h); }));
    CHECK(move_on_after(std::nullopt, [] { sleep(1h); }));
  });
}

TEST_CASE("fail_after throws TimeoutError if the body was cut short") {
  on_loop([] {
    CHECK(fail_after(1s, [] { return 5; }) == 5);
    CHECK_THROWS_WITH(fail_after(1s, [] { sleep(5s); }),
                      Catch::Contains("fail_after() at") && Catch::Contains("cancel_scope_test"));
    CHECK_THROWS_AS(jumpcut::fail_at(TimePoint(2s),
                                     [] {
                                       sleep(5s);
                                       return 5;
                                     }),
                    TimeoutError);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("everything that is waited for inside a cancelled scope throws Cancelled") {
  on_loop([] {
    int thrown = 0;
    CHECK(move_on_after(1s, [&] {
      Future<> never;
      if (is_cancelled([] { sleep(5s); })) ++thrown;
      if (is_cancelled([] { sleep(5s); })) ++thrown;
      if (is_cancelled([&] { await(never); })) ++thrown;
      if (is_cancelled([] { sleep(0s); })) ++thrown;
    }));
    CHECK(thrown == 4);
    CHECK(elapsed() == 1s);
    sleep(1s);
  });
}

TEST_CASE("a cancelled scope lets what is complete be") {
  on_loop([] {
    Future<int> future;
    future.set_result(3);
    bool cut = false;
    cancel_scope([&](CancelScope& scope) {
      scope.cancel();
      CHECK(await(future) == 3);
      cut = is_cancelled([] { sleep(0s); });
    });
    CHECK(cut);

    // It was set before the scope was cancelled, in the same tick.
    Future<int> second;
    CancelScope scope;
    auto& loop = jumpcut::get_running_loop();
    loop.call_soon([&] { second.set_result(4); });
    loop.call_soon([&] { scope.cancel(); });
    CHECK(cancel_scope(scope, [&] { return await(second); }) == 4);
    CHECK(scope.cancel_called());
    CHECK_FALSE(scope.cancelled_caught());
  });
}

TEST_CASE("CancelScope.cancel ends the scope from inside, and from another task") {
  on_loop([] {
    CancelScope scope;
    CHECK_FALSE(cancel_scope(scope, [&] {
      scope.cancel();
      sleep(5s);
    }));
    CHECK(scope.cancel_called());
    CHECK(scope.cancelled_caught());

    CancelScope other;
    auto task = create_task([&] { return cancel_scope(other, [] { sleep(1h); }); });
    sleep(1s);
    other.cancel();
    other.cancel();
    CHECK_FALSE(await(task));
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("the Cancelled of a scope says so, and where it was asked for") {
  on_loop([] {
    cancel_scope([](CancelScope& scope) {
      const unsigned line = __LINE__ + 1;
      scope.cancel();
      try {
        sleep(0s);
      } catch (const Cancelled& cancelled) {
        CHECK(cancelled.reason() == jumpcut::CancelReason::scope);
        CHECK(cancelled.where().line == line);
        throw;
      }
    });
  });
}

TEST_CASE("a scope that was cancelled before it is entered cuts at the first wait") {
  on_loop([] {
    CancelScope scope;
    scope.cancel();
    bool began = false;
    CHECK_FALSE(cancel_scope(scope, [&] {
      began = true;
      sleep(0s);
    }));
    CHECK(began);
    CHECK(move_on_after(-1s, [] {}));
    CHECK_FALSE(move_on_after(0s, [] { sleep(0s); }));
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("of nested scopes that are cancelled the outermost catches") {
  on_loop([] {
    CancelScope outer;
    CancelScope inner;
    bool after_inner = false;
    CHECK_FALSE(cancel_scope(outer, [&] {
      cancel_scope(inner, [&] {
        inner.cancel();
        outer.cancel();
        sleep(1s);
      });
      after_inner = true;
    }));
    CHECK_FALSE(after_inner);
    CHECK(outer.cancelled_caught());
    CHECK_FALSE(inner.cancelled_caught());
  });
}

TEST_CASE("an inner scope cuts its own part only") {
  on_loop([] {
    CHECK(move_on_after(10s, [] {
      CHECK_FALSE(move_on_after(1s, [] { sleep(5s); }));
      sleep(1s);
    }));
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("CancelScope.reschedule moves the deadline, and takes it away") {
  on_loop([] {
    CHECK_FALSE(move_on_after(10s, [](CancelScope& scope) {
      CHECK(scope.deadline() == TimePoint(10s));
      scope.reschedule(TimePoint(2s));
      sleep(1h);
    }));
    CHECK(elapsed() == 2s);
    CHECK(move_on_after(1s, [](CancelScope& scope) {
      scope.reschedule(std::nullopt);
      sleep(10s);
    }));
    CHECK_FALSE(cancel_scope([](CancelScope& scope) {
      scope.reschedule(TimePoint(1s));  // long ago
      sleep(0s);
    }));
    CHECK(elapsed() == 12s);
  });
}

TEST_CASE("a scope whose deadline has passed is cancelled at once") {
  on_loop([] {
    CHECK(move_on_after(0s, [](CancelScope& scope) { CHECK(scope.cancel_called()); }));
    CHECK(move_on_after(1h, [](CancelScope& scope) {
      scope.reschedule(TimePoint(elapsed()));
      CHECK(scope.cancel_called());
    }));
  });
}

TEST_CASE("a shielded scope keeps the cancellation around it out") {
  on_loop([] {
    std::string log;
    CHECK_FALSE(move_on_after(1s, [&] {
      try {
        sleep(5s);
      } catch (const Cancelled&) {
        CancelScope cleanup;
        cleanup.set_shield(true);
        CHECK(cancel_scope(cleanup, [&] {
          sleep(2s);
          log += "clean ";
        }));
        CHECK(is_cancelled([] { sleep(0s); }));
        throw;
      }
    }));
    CHECK(log == "clean ");
    CHECK(elapsed() == 3s);
  });
}

TEST_CASE("a shielded scope is cut by its own deadline, and when the shield is taken away") {
  on_loop([] {
    bool after = false;
    CHECK_FALSE(move_on_after(1s, [&] {
      CHECK_FALSE(move_on_after(3s, [](CancelScope& scope) {
        scope.set_shield(true);
        sleep(1h);
      }));
      after = true;
      sleep(0s);
    }));
    CHECK(after);
    CHECK(elapsed() == 3s);

    CancelScope inner;
    jumpcut::get_running_loop().call_later(5s, [&] { inner.set_shield(false); });
    CHECK_FALSE(move_on_after(1s, [&] {
      cancel_scope(inner, [&] {
        inner.set_shield(true);
        sleep(1h);
      });
    }));
    CHECK(elapsed() == 8s);
  });
}

TEST_CASE("Task.cancel passes a scope, shielded or cancelled or not") {
  for (const int kind : {0, 1, 2}) {
    on_loop([&] {
      CancelScope scope;
      auto task = create_task([&] {
        cancel_scope(scope, [&] {
          if (kind == 1) scope.set_shield(true);
          sleep(1h);
        });
      });
      sleep(1s);
      if (kind == 2) scope.cancel();
      task.cancel("stop");
      CHECK_THROWS_AS(await(task), Cancelled);
      CHECK_FALSE(scope.cancelled_caught());
      CHECK(task.cancelling() == 1);
    });
  }
}

TEST_CASE("a cancellation that was asked for before the scope passes it") {
  on_loop([] {
    auto task = create_task([] {
      current_task().cancel("before");
      cancel_scope([](CancelScope& scope) {
        scope.cancel();
        sleep(0s);
      });
      FAIL("caught");
    });
    CHECK_THROWS_AS(await(task), Cancelled);
  });
}

TEST_CASE("a scope may be used in the clean-up of a cancelled task") {
  on_loop([] {
    auto task = create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        CHECK_FALSE(move_on_after(1s, [] { sleep(5s); }));
        throw;
      }
    });
    sleep(0s);
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("an exception of the body passes a scope") {
  on_loop([] {
    CHECK_THROWS_AS(move_on_after(1s, [] { throw Boom("x"); }), Boom);
    CHECK_THROWS_AS(move_on_after(1s,
                                  [] {
                                    if (is_cancelled([] { sleep(5s); })) throw Boom("y");
                                  }),
                    Boom);
    sleep(1s);
  });
}

TEST_CASE("a timeout inside a scope, and a scope inside a timeout, keep to their own deadlines") {
  on_loop([] {
    CHECK(move_on_after(
        5s, [] { CHECK_THROWS_AS(jumpcut::timeout(1s, [] { sleep(1h); }), TimeoutError); }));
    CHECK_THROWS_AS(jumpcut::timeout(1s, [] { move_on_after(5s, [] { sleep(1h); }); }),
                    TimeoutError);
    CHECK_FALSE(move_on_after(1s, [] { jumpcut::timeout(5s, [] { sleep(1h); }); }));
    jumpcut::timeout(5s, [] { CHECK_FALSE(move_on_after(1s, [] { sleep(1h); })); });
    CHECK(elapsed() == 4s);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("of a scope and a timeout inside with the same deadline the scope catches") {
  on_loop([] {
    CHECK_FALSE(move_on_after(1s, [] { jumpcut::timeout(1s, [] { sleep(1h); }); }));
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("a cancelled scope cancels the tasks of a group inside it, and waits for them") {
  on_loop([] {
    std::string log;
    CHECK_FALSE(move_on_after(1s, [&] {
      jumpcut::task_group([&](jumpcut::TaskGroup& group) {
        for (const char* name : {"a", "b"}) {
          group.create_task([&log, name] {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              sleep(2s);
              log += name;
              throw;
            }
          });
        }
      });
    }));
    CHECK(log == "ab");
    CHECK(elapsed() == 3s);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("a cancelled scope cancels the task that is awaited inside it") {
  on_loop([] {
    auto task = create_task([] { sleep(1h); });
    CHECK_FALSE(move_on_after(1s, [&] { await(task); }));
    CHECK(task.cancelled());
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("what a cancelled scope waits for is told once, and not again by a scope inside") {
  on_loop([] {
    CancelScope outer;
    CancelScope inner;
    bool cleaned = false;
    const auto child = create_task([&] {
      CHECK(is_cancelled([] { sleep(1h); }));
      sleep(1s);
      cleaned = true;
    });
    const auto canceller = create_task([&] {
      sleep(1s);
      outer.cancel();
      sleep(500ms);
      inner.cancel();
    });
    cancel_scope(outer, [&] { cancel_scope(inner, [&] { await(child); }); });
    CHECK(cleaned);
  });
}

TEST_CASE("a scope reaches its own task only") {
  on_loop([] {
    CancelScope scope;
    CHECK_FALSE(cancel_scope(scope, [&] {
      scope.cancel();
      create_task([] { sleep(1s); }).detach();
      sleep(0s);
    }));
    sleep(2s);
    CHECK(jumpcut::all_tasks().size() == 1);
  });
}

TEST_CASE("a CancelScope is entered once, and inside a task") {
  CHECK_THROWS_AS(cancel_scope([] {}), jumpcut::RuntimeError);
  on_loop([] {
    CancelScope scope(1s);
    CHECK(cancel_scope(scope, [&] {
      CHECK_THROWS_WITH(cancel_scope(scope, [] {}), Catch::Contains("already been entered"));
    }));
    CHECK_THROWS_WITH(cancel_scope(scope, [] {}), Catch::Contains("already been entered"));
    scope.cancel();
    scope.reschedule(std::nullopt);
    sleep(2s);
  });
}
