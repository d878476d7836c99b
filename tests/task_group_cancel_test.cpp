// jumpcut/task_group.hpp: ending a group early, and waiting until a task of it is ready.

#include <jumpcut/cancel_scope.hpp>
#include <jumpcut/task_group.hpp>

#include <cstdint>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "group_errors.hpp"
#include "on_loop.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::current_task;
using jumpcut::get_running_loop, jumpcut::RuntimeError, jumpcut::sleep, jumpcut::Started,
    jumpcut::task_group;
using jumpcut::TaskGroup;

TEST_CASE("TaskGroup.cancel ends the tasks and the body, and task_group returns") {
  on_loop([] {
    jumpcut::Task<> task;
    bool body_cancelled = false;
    task_group([&](TaskGroup& group) {
      task = group.create_task([] { sleep(1h); });
      sleep(1s);
      group.cancel();
      body_cancelled = is_cancelled([] { sleep(1h); });
      throw Cancelled();
    });
    CHECK(body_cancelled);
    CHECK(task.cancelled());
    CHECK(elapsed() == 1s);
    CHECK(current_task().cancelling() == 0);
    sleep(1s);
  });
}

TEST_CASE("TaskGroup.cancel by a task of the group, and from outside") {
  on_loop([] {
    task_group([](TaskGroup& group) {
      group.create_task([&] {
        sleep(1s);
        group.cancel();
        sleep(1h);
      });
      sleep(1h);
    });
    CHECK(elapsed() == 1s);
    TaskGroup other;
    jumpcut::get_running_loop().call_later(1s, [&] { other.cancel(); });
    task_group(other, [&] { other.create_task([] { sleep(1h); }); });
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("TaskGroup.cancel before the tasks have begun: they never do") {
  on_loop([] {
    bool began = false;
    task_group([&](TaskGroup& group) {
      group.create_task([&] { began = true; });
      group.cancel();
      CHECK_THROWS_WITH(group.create_task([] {}), Catch::Contains("is shutting down"));
    });
    CHECK_FALSE(began);
  });
}

TEST_CASE("TaskGroup.cancel before the group is entered cancels it as soon as it is") {
  on_loop([] {
    TaskGroup group;
    group.cancel();
    bool waited = false;
    task_group(group, [&] {
      sleep(0s);
      waited = true;
    });
    CHECK_FALSE(waited);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("TaskGroup.cancel does nothing the second time, and after the group has finished") {
  on_loop([] {
    TaskGroup group;
    task_group(group, [&] {
      group.create_task([] { sleep(1h); });
      group.cancel();
      group.cancel();
    });
    group.cancel();
    CHECK(current_task().cancelling() == 0);
    sleep(1s);
  });
}

TEST_CASE("TaskGroup.cancel does not disturb the clean-up that it began") {
  on_loop([] {
    TaskGroup group;
    int cleaned = 0;
    task_group(group, [&] {
      const auto clean_up = [&] {
        CHECK(is_cancelled([] { sleep(1h); }));
        sleep(1s);
        ++cleaned;
      };
      group.create_task(clean_up);
      get_running_loop().call_later(1s, [&] { group.cancel(); });
      get_running_loop().call_later(1500ms, [&] { group.cancel(); });
      clean_up();
    });
    CHECK(cleaned == 2);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("TaskGroup.cancel between the end of the last task and the group's does nothing") {
  on_loop([] {
    const auto parent = current_task();
    TaskGroup group;
    int cancelling = 1;
    task_group(group, [&] {
      group.create_task([] {}).add_done_callback([&] {
        group.cancel();
        cancelling = parent.cancelling();
      });
    });
    CHECK(cancelling == 0);
  });
}

TEST_CASE("a cancellation that errors came of is thrown without its message at the next wait") {
  on_loop([] {
    const auto task = create_task([] {
      CHECK(errors_of([] {
              task_group([](TaskGroup& group) { group.create_task(fail_when_cancelled("x")); });
            }) == "x");
      CHECK(errors_of([] { sleep(1h); }) == "cancelled: ");
    });
    sleep(1s);
    task.cancel("why");
    await(task);
  });
}

TEST_CASE("Interrupted of a task of a group comes out as it is") {
  on_loop([] {
    CHECK_THROWS_AS(task_group([](TaskGroup& group) {
                      group.create_task([] { throw jumpcut::Interrupted(); });
                    }),
                    jumpcut::Interrupted);
  });
}

TEST_CASE("TaskGroup.cancel lets errors of the tasks come out, and of the body") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.create_task(fail_when_cancelled("task"));
              sleep(1s);
              group.cancel();
            });
          }) == "task");
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.cancel();
              throw Boom("body");
            });
          }) == "body");
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("an eager task that cancels its group before it first waits is cancelled itself") {
  on_loop([] {
    jumpcut::Task<> task;
    task_group([&](TaskGroup& group) {
      task = group.create_task(
          [&] {
            group.cancel();
            sleep(1h);
          },
          {.eager_start = true});
    });
    CHECK(task.cancelled());
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("somebody else's cancellation survives TaskGroup.cancel") {
  on_loop([] {
    auto task = create_task([] {
      task_group([](TaskGroup& group) {
        group.create_task([] {
          try {
            sleep(1h);
          } catch (const Cancelled&) {
            sleep(2s);
          }
        });
        sleep(0s);
        group.cancel();
      });
    });
    sleep(1s);
    task.cancel("mine");
    CHECK(errors_of([&] { await(task); }) == "cancelled: mine");
    CHECK(task.cancelling() == 1);
  });
}

TEST_CASE("TaskGroup.cancel in the clean-up of a cancelled task is the group's own affair") {
  on_loop([] {
    in_clean_up([] {
      task_group([](TaskGroup& group) {
        group.create_task([] { sleep(1h); });
        group.cancel();
        sleep(1h);
      });
      CHECK(current_task().cancelling() == 1);
    });
  });
}

TEST_CASE("a body that TaskGroup.cancel cut short has no value to return") {
  on_loop([] {
    CHECK_THROWS_AS(task_group([](TaskGroup& group) {
                      group.cancel();
                      sleep(1s);
                      return 1;
                    }),
                    jumpcut::InvalidStateError);
    CHECK(task_group([](TaskGroup& group) {
            group.cancel();
            return 1;
          }) == 1);
  });
}

TEST_CASE("TaskGroup.start returns the value that the task is ready with, and the task goes on") {
  on_loop([] {
    bool ended = false;
    task_group([&](TaskGroup& group) {
      const int port = group.start<int>([&](Started<int>& started) {
        sleep(1s);
        started(8080);
        sleep(2s);
        ended = true;
      });
      CHECK(port == 8080);
      CHECK(elapsed() == 1s);
      CHECK(group.size() == 1);
      group.start([](Started<void>& started) { started(); }, {.eager_start = true});
      auto moved = group.start<std::unique_ptr<int>>(
          [](auto& started) { started(std::make_unique<int>(3)); });
      CHECK(*moved == 3);
    });
    CHECK(ended);
    CHECK(elapsed() == 3s);
  });
}

TEST_CASE("an error before the task is ready is thrown by TaskGroup.start, and only there") {
  on_loop([] {
    bool sibling_ended = false;
    task_group([&](TaskGroup& group) {
      group.create_task([&] {
        sleep(5s);
        sibling_ended = true;
      });
      CHECK_THROWS_AS(group.start([](Started<void>&) {
        sleep(1s);
        throw Boom("no port");
      }),
                      Boom);
      CHECK(current_task().cancelling() == 0);
    });
    CHECK(sibling_ended);
  });
}

TEST_CASE("an error after the task was ready is the group's") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.start([](Started<void>& started) {
                started();
                sleep(1s);
                throw Boom("later");
              });
              sleep(1h);
            });
          }) == "later");
  });
}

TEST_CASE("TaskGroup.start throws RuntimeError if the task ends before it is ready") {
  on_loop([] {
    task_group([](TaskGroup& group) {
      CHECK_THROWS_WITH(group.start([](Started<void>&) {}),
                        Catch::Contains("ended before it called started()"));
      CHECK_THROWS_WITH(group.start([](Started<void>&) {
        current_task().cancel();
        sleep(0s);
      }),
                        Catch::Contains("was cancelled before it called started()"));
    });
  });
}

TEST_CASE("a task calls started() once") {
  on_loop([] {
    task_group([](TaskGroup& group) {
      group.start<int>([](Started<int>& started) {
        started(1);
        CHECK_THROWS_AS(started(2), RuntimeError);
      });
    });
  });
}

TEST_CASE("a group that is left ends tasks that wait for each other in a circle") {
  on_loop([] {
    bool first_cancelled = false;
    bool second_cancelled = false;
    jumpcut::Task<> second;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              auto first = group.create_task(
                  [&] { first_cancelled = is_cancelled([&] { await(second); }); });
              second = group.create_task([&second_cancelled, first] {
                second_cancelled = is_cancelled([&] { await(first); });
              });
              sleep(1s);
              CHECK_THROWS_AS(first.cancel(), jumpcut::RecursionError);
              throw Boom("body");
            });
          }) == "body");
    CHECK(first_cancelled);
    CHECK_FALSE(second_cancelled);  // it waited for the first one, which then ended well
    CHECK(second.done());
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("a group whose parent is cancelled ends tasks that wait for each other in a circle") {
  on_loop([] {
    jumpcut::Task<> first, second;
    auto parent = create_task([&] {
      task_group([&](TaskGroup& group) {
        first = group.create_task([&] { await(second); });
        second = group.create_task([&] { await(first); });
      });
    });
    sleep(1s);
    parent.cancel();
    CHECK(is_cancelled([&] { await(parent); }));
    CHECK(first.cancelled());
    CHECK(second.cancelled());
    first = second = {};
  });
}

TEST_CASE("cancelling who waits in TaskGroup.start cancels the task") {
  on_loop([] {
    bool cancelled = false;
    task_group([&](TaskGroup& group) {
      auto starter = create_task([&] {
        group.start([&](Started<void>& started) {
          cancelled = is_cancelled([] { sleep(1h); });
          sleep(1s);
          started();  // nobody waits for it
        });
      });
      sleep(1s);
      starter.cancel("enough");
      CHECK(errors_of([&] { await(starter); }) == "cancelled: enough");
      CHECK(elapsed() == 1s);
    });
    CHECK(cancelled);
    CHECK(elapsed() == 2s);
  });
}

TEST_CASE("a scope cuts TaskGroup.start short, and an error of the task then is the group's") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              CHECK_FALSE(jumpcut::move_on_after(1s, [&] {
                group.start([](Started<void>&) { fail_when_cancelled("clean-up")(); });
              }));
              sleep(1h);
            });
          }) == "clean-up");
    CHECK(elapsed() == 1s);
  });
}

TEST_CASE("a TaskGroup that is destroyed while it is entered ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      auto group = std::make_unique<TaskGroup>();
      task_group(*group, [&] { group.reset(); });
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("a TaskGroup is destroyed while its tasks run"));
}

TEST_CASE("TaskGroup.start is refused where create_task is") {
  on_loop([] {
    TaskGroup group;
    CHECK_THROWS_AS(group.start([](Started<void>& started) { started(); }), RuntimeError);
    task_group(group, [] {});
    CHECK_THROWS_AS(group.start([](Started<void>& started) { started(); }), RuntimeError);
  });
}

TEST_CASE("a group that fails ends a task that is not ready yet, and who waits for it") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.create_task(fail_after_ms(100, "x"));
              group.start([](Started<void>&) { sleep(1h); });
            });
          }) == "x");
    CHECK(elapsed() == 100ms);
    CHECK(current_task().cancelling() == 0);
  });
}
