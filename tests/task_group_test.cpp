// jumpcut/task_group.hpp: who is cancelled when, and which exceptions come out.

#include <jumpcut/context.hpp>
#include <jumpcut/task_group.hpp>

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "group_errors.hpp"
#include "on_loop.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::current_task;
using jumpcut::RuntimeError, jumpcut::sleep, jumpcut::task_group, jumpcut::TaskGroup;

TEST_CASE("task_group waits for all its tasks, and returns what its body returns") {
  on_loop([] {
    jumpcut::Task<int> a;
    jumpcut::Task<int> b;
    const int value = task_group([&](TaskGroup& group) {
      a = group.create_task([] {
        sleep(100ms);
        return 42;
      });
      sleep(150ms);
      b = group.create_task([] {
        sleep(200ms);
        return 11;
      });
      return 5;
    });
    CHECK(value == 5);
    CHECK(a.result() == 42);
    CHECK(b.result() == 11);
    CHECK(elapsed() == 350ms);
  });
}

TEST_CASE("an empty task group does not switch, and neither does one whose tasks have ended") {
  on_loop([] {
    bool other_ran = false;
    auto other = create_task([&] { other_ran = true; });
    CHECK(task_group([] { return 1; }) == 1);
    CHECK_FALSE(other_ran);
    await(other);
    task_group([&](TaskGroup& group) {
      group.create_task([] {});
      ticks(2);
      CHECK(group.size() == 0);
      other_ran = false;
      other = create_task([&] { other_ran = true; });
    });
    CHECK_FALSE(other_ran);
    await(other);
  });
}

TEST_CASE("a task of a group that is cancelled by itself is no error") {
  on_loop([] {
    jumpcut::Task<> a;
    jumpcut::Task<int> b;
    task_group([&](TaskGroup& group) {
      a = group.create_task([] { sleep(1s); });
      sleep(150ms);
      a.cancel();
      b = group.create_task([] {
        sleep(200ms);
        return 11;
      });
    });
    CHECK(a.cancelled());
    CHECK(b.result() == 11);
  });
}

TEST_CASE("the first task that fails has the others cancelled, in the order of their creation") {
  on_loop([] {
    std::string log;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              for (const char* name : {"a", "b", "c"}) {
                group.create_task([&log, name] {
                  try {
                    sleep(1h);
                  } catch (const Cancelled& cancelled) {
                    CHECK(cancelled.reason() == jumpcut::CancelReason::group);
                    log += name;
                    throw;
                  }
                });
              }
              group.create_task(fail_after_ms(100, "x"));
            });
          }) == "x");
    CHECK(log == "abc");
    CHECK(elapsed() == 100ms);
  });
}

TEST_CASE("a task that fails cancels the body where it waits, and that is taken back") {
  on_loop([] {
    bool body_cancelled = false;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              group.create_task(fail_after_ms(100, "x"));
              try {
                sleep(1h);
              } catch (const Cancelled&) {
                body_cancelled = true;
                CHECK(current_task().cancelling() == 1);
                throw;
              }
            });
          }) == "x");
    CHECK(body_cancelled);
    CHECK(current_task().cancelling() == 0);
    sleep(1s);
  });
}

TEST_CASE("tasks that fail in the same tick are all in the group, in the order of their ends") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.create_task(fail_after_ms(0, "a"));
              group.create_task([] {
                ticks(2);
                throw Boom("late");
              });
              group.create_task(fail_after_ms(0, "b"));
              sleep(1h);
            });
          }) == "a,b");
  });
}

TEST_CASE("what tasks throw when they are cancelled is in the group, the body's own last") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& group) {
              group.create_task(fail_after_ms(100, "first"));
              group.create_task(fail_when_cancelled("second"));
              fail_when_cancelled("body")();
            });
          }) == "first,second,body");
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("an exception of the body cancels the tasks and comes in a group") {
  on_loop([] {
    jumpcut::Task<> a;
    bool started = false;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              a = group.create_task([&] {
                started = true;
                sleep(1h);
              });
              sleep(100ms);
              throw Boom("body");
            });
          }) == "body");
    CHECK(started);
    CHECK(a.cancelled());
    CHECK(errors_of([] { task_group([]() -> int { throw Boom("alone"); }); }) == "alone");
  });
}

TEST_CASE("tasks that have not begun when the body fails never begin") {
  on_loop([] {
    bool started = false;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              group.create_task([&] { started = true; });
              throw Boom("body");
            });
          }) == "body");
    CHECK_FALSE(started);
  });
}

TEST_CASE("cancelling the caller cancels the tasks, and throws Cancelled with its message") {
  for (const bool body_waits : {false, true}) {
    on_loop([&] {
      std::string log;
      auto task = create_task([&] {
        task_group([&](TaskGroup& group) {
          for (const char* name : {"a", "b"}) {
            group.create_task([&log, name] {
              try {
                sleep(1h);
              } catch (const Cancelled& cancelled) {
                CHECK_FALSE(cancelled.has_message());
                log += name;
                throw;
              }
            });
          }
          if (body_waits) {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              log += "body ";
              throw;
            }
          }
        });
      });
      sleep(100ms);
      CHECK_FALSE(task.done());
      task.cancel("stop");
      CHECK(errors_of([&] { await(task); }) == "cancelled: stop");
      CHECK(log == (body_waits ? "body ab" : "ab"));
      CHECK(task.cancelling() == 1);
    });
  }
}

TEST_CASE("cancelling the caller, and tasks that fail for that: the group is thrown") {
  on_loop([] {
    auto task = create_task([] {
      task_group([](TaskGroup& group) {
        for (int i = 0; i < 3; ++i) group.create_task(fail_when_cancelled("x"));
        sleep(1h);
      });
    });
    sleep(100ms);
    task.cancel();
    CHECK(errors_of([&] { await(task); }) == "x,x,x");
  });
}

TEST_CASE("a cancellation that errors came before is thrown at the next wait") {
  on_loop([] {
    auto task = create_task([] {
      CHECK(errors_of([] {
              task_group([](TaskGroup& group) {
                group.create_task([] {
                  sleep(0s);
                  throw Boom("x");
                });
                sleep(1h);
              });
            }) == "x");
      CHECK(current_task().cancelling() == 1);
      sleep(1h);
    });
    ticks(2);
    task.cancel();
    CHECK(task.cancelling() == 1);
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("a nested group that fails is one error of the outer group") {
  on_loop([] {
    for (const bool others : {false, true}) {
      auto task = create_task([&] {
        task_group([&](TaskGroup& outer) {
          if (others) outer.create_task([] { sleep(1h); });
          task_group([](TaskGroup& inner) {
            inner.create_task(fail_when_cancelled("a"));
            inner.create_task(fail_when_cancelled("b"));
            sleep(1h);
          });
        });
      });
      sleep(100ms);
      task.cancel();
      CHECK(errors_of([&] { await(task); }) == "(a,b)");
    }
  });
}

TEST_CASE("a task of the outer group that fails cancels the inner group") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& outer) {
              outer.create_task(fail_after_ms(100, "outer"));
              task_group([](TaskGroup& inner) { inner.create_task(fail_after_ms(9999, "inner")); });
            });
          }) == "outer");
    CHECK(errors_of([] {
            task_group([](TaskGroup& outer) {
              outer.create_task(fail_after_ms(9999, "outer"));
              task_group([](TaskGroup& inner) { inner.create_task(fail_after_ms(100, "inner")); });
            });
          }) == "(inner)");
  });
}

TEST_CASE("tasks of the outer and the inner group that fail in one tick are told apart") {
  on_loop([] {
    CHECK(errors_of([] {
            task_group([](TaskGroup& outer) {
              CHECK(errors_of([&] {
                      task_group([&](TaskGroup& inner) {
                        inner.create_task(fail_after_ms(0, "inner"));
                        outer.create_task(fail_after_ms(0, "outer"));
                      });
                    }) == "inner");
              CHECK(current_task().cancelling() == 1);
            });
          }) == "outer");
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("a task that fails while the body cleans up after a cancellation is in the group") {
  on_loop([] {
    auto task = create_task([] {
      task_group([](TaskGroup& group) {
        group.create_task(fail_after_ms(300, "x"));
        group.create_task(fail_when_cancelled("y"));
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          sleep(500ms);
          throw;
        }
      });
    });
    sleep(100ms);
    task.cancel();
    CHECK(errors_of([&] { await(task); }) == "x,y");
  });
}

TEST_CASE("a body that makes an exception of its cancellation has it thrown in a group") {
  on_loop([] {
    auto task = create_task([] { task_group([] { fail_when_cancelled("body")(); }); });
    sleep(100ms);
    task.cancel();
    CHECK(errors_of([&] { await(task); }) == "body");

    auto other = create_task([] { task_group([] { sleep(1h); }); });
    sleep(100ms);
    other.cancel("m");
    CHECK(errors_of([&] { await(other); }) == "cancelled: m");
  });
}

TEST_CASE("a second cancellation while the tasks end changes nothing") {
  on_loop([] {
    auto task = create_task([] {
      task_group([](TaskGroup& group) {
        group.create_task([] {
          try {
            sleep(1h);
          } catch (const Cancelled&) {
            sleep(2s);
            throw;
          }
        });
      });
    });
    sleep(1s);
    task.cancel("first");
    sleep(1s);
    task.cancel("second");
    CHECK(errors_of([&] { await(task); }) == "cancelled: first");
    CHECK(task.cancelling() == 2);
    CHECK(elapsed() == 3s);
  });
}

TEST_CASE("tasks may create tasks in their own group until the last has ended") {
  on_loop([] {
    int ended = 0;
    task_group([&](TaskGroup& group) {
      group.create_task([&] {
        sleep(100ms);
        for (const auto delay : {100ms, 200ms}) {
          group.create_task([&ended, delay] {
            sleep(delay);
            ++ended;
          });
        }
      });
    });
    CHECK(ended == 2);
    CHECK(elapsed() == 300ms);
  });
}

TEST_CASE("a group lets go of its tasks as they end") {
  on_loop([] {
    task_group([](TaskGroup& group) {
      for (int count = 0; count < 10; ++count) {
        sleep(100ms);
        group.create_task([] { sleep(300ms); });
        CHECK(group.size() <= 4);
      }
      sleep(400ms);
      CHECK(group.size() == 0);
    });
  });
}

TEST_CASE("TaskGroup.create_task is refused while the group shuts down") {
  on_loop([] {
    bool refused = false;
    bool dropped = false;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              group.create_task(fail_after_ms(1, "x"));
              group.create_task([&] {
                try {
                  sleep(1s);
                } catch (const Cancelled&) {
                  const auto held = std::make_shared<int>();
                  const std::weak_ptr<int> seen = held;
                  try {
                    group.create_task([held = held] { FAIL("it ran"); });
                  } catch (const RuntimeError& error) {
                    refused = true;
                    CHECK_THAT(error.what(), Catch::Contains("is shutting down"));
                  }
                  dropped = held.use_count() == 1;
                }
              });
            });
          }) == "x");
    CHECK(refused);
    CHECK(dropped);
  });
}

TEST_CASE("TaskGroup.create_task is refused before the group is entered and after it finished") {
  on_loop([] {
    TaskGroup group;
    CHECK_THROWS_WITH(group.create_task([] {}), Catch::Contains("has not been entered"));
    task_group(group, [&] {
      CHECK_THROWS_WITH(task_group(group, [] {}), Catch::Contains("already been entered"));
    });
    CHECK_THROWS_WITH(group.create_task([] {}), Catch::Contains("is finished"));
    CHECK_THROWS_WITH(task_group(group, [] {}), Catch::Contains("already been entered"));
  });
}

TEST_CASE("task_group is refused outside a task, and a null function in it") {
  CHECK_THROWS_AS(task_group([] {}), RuntimeError);
  on_loop([] {
    jumpcut::get_running_loop().call_soon([] { CHECK_THROWS_AS(task_group([] {}), RuntimeError); });
    sleep(0s);
    task_group([](TaskGroup& group) {
      CHECK_THROWS_AS(group.create_task(std::function<void()>()), jumpcut::ValueError);
    });
    CHECK_THROWS_AS(task_group(std::function<void()>()), jumpcut::ValueError);
  });
}

TEST_CASE("TaskGroup.create_task takes a name, a context and an eager start") {
  on_loop([] {
    jumpcut::ContextVar<int> variable("variable", 0);
    const jumpcut::Context context = jumpcut::copy_context();
    task_group([&](TaskGroup& group) {
      CHECK(group.create_task([] {}, {.name = "yolo"}).name() == "yolo");
      await(group.create_task([&] { variable.set(7); }, {.context = &context}));
      bool began = false;
      group.create_task([&] { began = true; }, {.eager_start = true});
      CHECK(began);
    });
    CHECK(variable.get() == 0);
    context.run([&] { CHECK(variable.get() == 7); });
  });
}

TEST_CASE("an eager task that fails cancels the body one tick later, not inside create_task") {
  on_loop([] {
    bool after = false;
    CHECK(errors_of([&] {
            task_group([&](TaskGroup& group) {
              group.create_task([] { throw Boom("eager"); }, {.eager_start = true});
              after = true;
              CHECK(current_task().cancelling() == 0);
              sleep(1h);
            });
          }) == "eager");
    CHECK(after);
    CHECK(current_task().cancelling() == 0);
  });
}

TEST_CASE("a task's exception is the group's affair, and reported to nobody else") {
  on_loop([] {
    int reports = 0;
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext&) { ++reports; });
    for (const bool eager : {true, false}) {
      CHECK(errors_of([&] {
              task_group([&](TaskGroup& group) {
                group.create_task([] { throw Boom("x"); }, {.eager_start = eager});
              });
            }) == "x");
    }
    ticks(3);
    CHECK(reports == 0);
  });
}

TEST_CASE("a group in the clean-up of a cancelled task keeps the count of cancellations") {
  on_loop([] {
    in_clean_up([] {
      task_group([](TaskGroup& group) { group.create_task([] { sleep(1s); }); });
      CHECK(current_task().cancelling() == 1);
      CHECK(errors_of([] {
              task_group([](TaskGroup& group) { group.create_task(fail_after_ms(1, "x")); });
            }) == "x");
      CHECK(current_task().cancelling() == 1);
    });
  });
}

TEST_CASE("Interrupted comes out of a group as it is, and hidden errors are reported") {
  on_loop([] {
    std::vector<std::string> reports;
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext& context) { reports.push_back(context.describe()); });
    CHECK_THROWS_AS(task_group([](TaskGroup& group) {
                      group.create_task(fail_when_cancelled("hidden"));
                      sleep(1s);
                      throw jumpcut::Interrupted();
                    }),
                    jumpcut::Interrupted);
    REQUIRE(reports.size() == 1);
    CHECK_THAT(reports[0], Catch::Contains("hidden"));
  });
}

TEST_CASE("a group of a thousand tasks") {
  on_loop([] {
    int ended = 0;
    task_group([&](TaskGroup& group) {
      for (int i = 0; i < 1000; ++i) {
        group.create_task([&] {
          sleep(1s);
          ++ended;
        });
      }
    });
    CHECK(ended == 1000);
    CHECK(elapsed() == 1s);
  });
}
