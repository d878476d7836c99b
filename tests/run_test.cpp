// jumpcut/run.hpp: what run() returns and throws, how it ends, and SIGINT.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "log.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::sleep, jumpcut::run, jumpcut::Runner;
using jumpcut::ErrorContext, jumpcut::get_running_loop, jumpcut::Loop, jumpcut::RuntimeError;
using jumpcut::Interrupted, jumpcut::VirtualClock;

namespace {

/// Notes what the loop's exception handler is told.
void note_errors(Log& log) {
  get_running_loop().set_exception_handler([&](const ErrorContext& context) {
    try {
      std::rethrow_exception(context.exception);
    } catch (const std::exception& error) {
      log("handler(" + std::string(error.what()) + ")");
    }
  });
}

/// In a child: another test may have its own handler.
template <class Body>
std::string interrupted(Body&& body) {
  const Ended ended = in_child([&] {
    std::signal(SIGINT, SIG_DFL);
    std::printf("%s", std::string(body()).c_str());
  });
  if (ended.signal != 0) return "signal " + std::to_string(ended.signal) + ended.output;
  return ended.output;
}

bool is_default(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_DFL;
}

}  // namespace

TEST_CASE("run returns what the function returns") {
  CHECK(run([] { return 5; }) == 5);
  CHECK(*run([] { return std::make_unique<int>(6); }) == 6);
  CHECK(run([owned = std::make_unique<int>(7)] { return *owned; }) == 7);
  run([] {});
  static_assert(std::is_void_v<decltype(run([] {}))>);
  static_assert(std::is_same_v<decltype(run([] { return std::string(); })), std::string>);
}

TEST_CASE("run throws the very exception that the function throws, after the loop has ended") {
  const std::exception* thrown = nullptr;
  Log log;
  VirtualClock clock;
  try {
    run(
        [&] {
          create_task([&] {
            try {
              sleep(1h);
            } catch (const jumpcut::Cancelled&) {
              sleep(1s);
              log("cleaned");
              throw;
            }
          }).detach();
          sleep(0s);
          try {
            throw std::runtime_error("mine");
          } catch (const std::exception& error) {
            thrown = &error;
            throw;
          }
        },
        {.clock = &clock});
  } catch (const std::runtime_error& error) {
    CHECK(&error == thrown);
    log("thrown");
  }
  CHECK(log.text() == "cleaned thrown");
  CHECK_THROWS_AS(run([] { throw jumpcut::Cancelled("mine"); }), jumpcut::Cancelled);
  CHECK_THROWS_AS(run([] { throw 5; }), int);
}

TEST_CASE("run makes the main task: named Task-1, or as asked, and alone") {
  run([] {
    CHECK(jumpcut::current_task().name() == "Task-1");
    CHECK(jumpcut::all_tasks().size() == 1);
  });
  run([] { CHECK(jumpcut::current_task().name() == "main"); },
      {.name = "main", .stack_size = 1 << 20});
}

TEST_CASE("run inside a run says so, and leaves the outer one as it was") {
  run([] {
    CHECK_THROWS_WITH(run([] {}), Contains("a loop runs in this thread already"));
    bool called = false;
    get_running_loop().call_soon([&] {
      CHECK_THROWS_AS(run([] {}), RuntimeError);
      called = true;
    });
    sleep(0s);
    CHECK(called);
    CHECK(jumpcut::all_tasks().size() == 1);
  });
}

TEST_CASE("threads have a run each") {
  int sum = 0;
  run([&] { std::thread([&] { sum = run([] { return 4; }); }).join(); });
  CHECK(sum == 4);
}

TEST_CASE("run ends in asyncio's order: tasks cancelled, their errors reported, then the value") {
  Log log;
  VirtualClock clock;
  const int value = run(
      [&] {
        note_errors(log);
        create_task([&] {
          try {
            sleep(1h);
          } catch (const jumpcut::Cancelled&) {
            log("CE");
            sleep(0s);
            log("cleanup");
            throw;
          }
        }).detach();
        create_task([&] {
          try {
            sleep(1h);
          } catch (const jumpcut::Cancelled&) {
            throw std::runtime_error("VE");
          }
        }).detach();
        sleep(0s);
        log("main");
        return 3;
      },
      {.clock = &clock});
  log(std::to_string(value));
  CHECK(log.text() == "main CE cleanup handler(VE) 3");
}

TEST_CASE("run ends tasks first, then generators, then the threads; each may use what ends later") {
  Log log;
  VirtualClock clock;
  std::promise<void> generators_ended;
  const auto clean_up = [&](const std::string& name) {
    log(name + "-ends");
    sleep(0s);
    log(jumpcut::to_thread([&] { return name + "-in-thread"; }));
  };
  const auto generator = [&](const std::string& name) {
    return jumpcut::Generator<int>([&, name](jumpcut::Yield<int>& yield) {
      try {
        for (int i = 0;; ++i) yield(i);
      } catch (const jumpcut::GeneratorExit&) {
        clean_up(name);
        if (name == "g1") generators_ended.set_value();
        if (name == "g2") throw std::runtime_error("g2");
        throw;
      }
    });
  };
  auto first = generator("g1");
  auto second = generator("g2");
  const int value = run(
      [&] {
        note_errors(log);
        first.next();
        second.next();
        create_task([&] {
          try {
            sleep(1h);
          } catch (const jumpcut::Cancelled&) {
            clean_up("task");
            throw;
          }
        }).detach();
        const jumpcut::Future<> begun;
        create_task([&] {
          try {
            jumpcut::to_thread([&, loop = &get_running_loop()] {
              loop->call_soon_threadsafe([&] { begun.set_result(); });
              generators_ended.get_future().wait();
              log("job-done");
            });
          } catch (const jumpcut::Cancelled&) {
            log("waiter");
            throw;
          }
        }).detach();
        await(begun);
        get_running_loop().call_soon([&] { log("soon"); });
        log("main");
        return 3;
      },
      {.clock = &clock});
  log(std::to_string(value));
  CHECK(log.text() ==
        "main soon task-ends waiter task-in-thread g2-ends g2-in-thread handler(g2) g1-ends "
        "g1-in-thread job-done 3");
}

TEST_CASE("a task that is ready when main ends is cancelled before it goes on") {
  Log log;
  run([&] {
    create_task([&] {
      for (int i = 0;; ++i) {
        log(std::to_string(i));
        sleep(0s);
      }
    }).detach();
    sleep(0s);
    sleep(0s);
  });
  CHECK(log.text() == "0 1 2");
}

TEST_CASE("callbacks that main leaves, or a task, have the turns that asyncio gives them") {
  int turns = 0;
  struct Again {
    int& turns;
    Loop& loop;
    void operator()() const {
      ++turns;
      loop.call_soon(*this);
    }
  };
  const auto begin = [&] {
    Loop& loop = get_running_loop();
    loop.call_soon(Again{turns, loop});
  };
  run(begin);
  CHECK(turns == 5);
  turns = 0;
  run([&] {
    create_task([&] {
      try {
        sleep(1h);
      } catch (const jumpcut::Cancelled&) {
        begin();
        throw;
      }
    }).detach();
    sleep(0s);
  });
  CHECK(turns == 6);
}

TEST_CASE("while tasks end there is no task but those") {
  run([] {
    create_task([] {
      try {
        sleep(1h);
      } catch (const jumpcut::Cancelled&) {
        CHECK(jumpcut::all_tasks().size() == 1);
        auto fresh = create_task([] { return 1; });
        CHECK(fresh.name() == "Task-3");
        CHECK(await(fresh) == 1);
      }
    }).detach();
    sleep(0s);
  });
}

TEST_CASE("the runs of a Runner share its loop and its context") {
  static jumpcut::ContextVar<int> variable("variable", 0);
  Runner runner;
  Loop* loop = &runner.get_loop();
  runner.run([&] {
    CHECK(&get_running_loop() == loop);
    CHECK(variable.get() == 0);
    variable.set(1);
  });
  CHECK(variable.get() == 0);
  runner.run([&] {
    CHECK(&get_running_loop() == loop);
    CHECK(variable.get() == 1);
  });
  CHECK_THROWS_AS(runner.run([] { throw std::runtime_error("no"); }), std::runtime_error);
  CHECK(runner.run([] { return 2; }) == 2);
  runner.close();
  runner.close();
  CHECK_THROWS_WITH(runner.run([] {}), Contains("closed"));
  CHECK_THROWS_WITH(runner.get_loop(), Contains("closed"));
  Runner().close();
}

TEST_CASE("a task of a Runner's first run goes on in the second, and ends with the Runner") {
  Log log;
  VirtualClock clock;
  {
    Runner runner({.clock = &clock});
    runner.run([&] {
      create_task([&] {
        for (int i = 0;; ++i) {
          try {
            log(std::to_string(i));
            sleep(1s);
          } catch (const jumpcut::Cancelled&) {
            log("end");
            throw;
          }
        }
      }).detach();
      sleep(0s);
    });
    log("between");
    runner.run([] { sleep(1500ms); });
  }
  CHECK(log.text() == "0 between 1 end");
}

TEST_CASE("a Runner that runs can't be closed, nor be used by another thread") {
  Runner runner;
  runner.run([&] {
    CHECK_THROWS_WITH(runner.close(), Contains("runs"));
    CHECK_THROWS_WITH(runner.run([] {}), Contains("a loop runs in this thread already"));
  });
  std::thread([&] {
    CHECK_THROWS_WITH(runner.run([] {}), Contains("belongs to"));
    CHECK_THROWS_WITH(runner.close(), Contains("belongs to"));
  }).join();
  CHECK(runner.run([] { return jumpcut::all_tasks().size(); }) == 1);
}

TEST_CASE("a main that stops the loop makes run say so") {
  CHECK_THROWS_WITH(run([] {
                      get_running_loop().stop();
                      sleep(0s);
                      sleep(0s);
                    }),
                    Contains("the loop was stopped before task 'Task-1' was done"));
  CHECK(run([] {
          get_running_loop().stop();
          return 1;
        }) == 1);
}

TEST_CASE("a main that waits for nobody is a deadlock, which names it") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  CHECK_THROWS_WITH(run([] { await(jumpcut::Future<>()); }),
                    Contains("deadlock") && Contains("task 'Task-1' waits for future"));
}

TEST_CASE("the first SIGINT cancels main, and run throws Interrupted", "[row-39]") {
  for (const bool in_callback : {false, true}) {
    CHECK(interrupted([&] {
            std::string log;
            try {
              run([&] {
                if (in_callback) {
                  get_running_loop().call_soon([] { std::raise(SIGINT); });
                } else {
                  std::raise(SIGINT);
                }
                try {
                  sleep(1h);
                } catch (const jumpcut::Cancelled& cancelled) {
                  expect(cancelled.reason() == jumpcut::CancelReason::interrupt, "the reason");
                  log += "CE " + std::to_string(jumpcut::current_task().cancelling());
                  throw;
                }
              });
            } catch (const Interrupted&) {
              log += " interrupted";
            }
            expect(is_default(SIGINT), "as it was");
            return log;
          }) == "CE 1 interrupted");
  }
}

TEST_CASE("SIGINT while main runs is thrown where main next waits") {
  CHECK(interrupted([] {
          std::string log;
          try {
            run([&] {
              std::raise(SIGINT);
              log += "on ";
              sleep(0s);
              log += "never ";
            });
          } catch (const Interrupted&) {
            log += "interrupted";
          }
          return log;
        }) == "on interrupted");
}

TEST_CASE("a main that swallows SIGINT returns its value, and one that fails throws its error",
          "[row-39]") {
  CHECK(interrupted([] {
          return run([] {
            std::raise(SIGINT);
            try {
              sleep(1h);
            } catch (const jumpcut::Cancelled&) {
            }
            sleep(0s);
            return "value";
          });
        }) == "value");
  CHECK(interrupted([]() -> std::string {
          try {
            run([] {
              std::raise(SIGINT);
              try {
                sleep(1h);
              } catch (const jumpcut::Cancelled&) {
                throw std::runtime_error("mine");
              }
            });
          } catch (const std::runtime_error& error) {
            return error.what();
          }
          return "nothing";
        }) == "mine");
}

TEST_CASE("a main that uncancelled, or was cancelled by others too, ends as cancelled") {
  CHECK(interrupted([]() -> std::string {
          try {
            run([] {
              const jumpcut::AnyTask self = jumpcut::current_task();
              self.cancel();
              std::raise(SIGINT);
              try {
                sleep(1h);
              } catch (const jumpcut::Cancelled&) {
                sleep(0s);
                throw;
              }
            });
          } catch (const Interrupted&) {
            return "interrupted";
          } catch (const jumpcut::Cancelled&) {
            return "cancelled";
          }
          return "nothing";
        }) == "cancelled");
}

TEST_CASE("SIGINT leaves errno alone, even where it can't wake the loop") {
  CHECK(interrupted([] {
          int error = 0;
          try {
            run([&] {
              // Eventfds that take no more: writing to them is an error.
              for (int fd = 3; fd < 100; ++fd) {
                char name[32] = {};
                const std::string link = "/proc/self/fd/" + std::to_string(fd);
                if (readlink(link.c_str(), name, sizeof name - 1) < 0) continue;
                if (std::string(name) != "anon_inode:[eventfd]") continue;
                const std::uint64_t most = ~std::uint64_t{1};
                expect(write(fd, &most, sizeof most) == sizeof most, "it is filled");
              }
              errno = 42;
              std::raise(SIGINT);
              error = errno;
            });
          } catch (const Interrupted&) {
          }
          return std::to_string(error);
        }) == "42");
}

TEST_CASE("SIGINT that comes when main is ending is not lost") {
  CHECK(interrupted([]() -> std::string {
          try {
            return run([] {
              std::raise(SIGINT);
              return "value";
            });
          } catch (const Interrupted&) {
            return "interrupted";
          }
        }) == "interrupted");
}

TEST_CASE("the second SIGINT ends the run at once, and the tasks are ended all the same") {
  CHECK(interrupted([] {
          std::string log;
          try {
            run([&] {
              std::raise(SIGINT);
              try {
                sleep(1h);
              } catch (const jumpcut::Cancelled&) {
                log += "first ";
              }
              std::raise(SIGINT);
              try {
                sleep(1h);
              } catch (const jumpcut::Cancelled& cancelled) {
                expect(cancelled.reason() == jumpcut::CancelReason::shutdown, "the reason");
                log += "ended ";
                throw;
              }
            });
          } catch (const Interrupted&) {
            log += "interrupted";
          }
          expect(is_default(SIGINT), "as it was");
          return log;
        }) == "first ended interrupted");
}

TEST_CASE("the third SIGINT kills a task that never waits, as does one when nobody is in charge") {
  if (LATE_SIGNALS) return;
  CHECK(interrupted([] {
          run([] {
            for (int i = 0; i < 3; ++i) std::raise(SIGINT);
          });
          return "alive";
        }) == "signal " + std::to_string(SIGINT));
  CHECK(interrupted([] {
          run([] { std::raise(SIGINT); }, {.handle_sigint = false});
          return "alive";
        }) == "signal " + std::to_string(SIGINT));
}

TEST_CASE("the program's own SIGINT handler stays, and so does one that it sets while it runs") {
  if (LATE_SIGNALS) return;
  CHECK(interrupted([] {
          static volatile std::sig_atomic_t count = 0;
          std::signal(SIGINT, [](int) { count = count + 1; });
          run([] {
            std::raise(SIGINT);
            sleep(0s);
          });
          std::raise(SIGINT);
          return std::to_string(count);
        }) == "2");
}

TEST_CASE("a loop of another thread leaves SIGINT alone") {
  CHECK(interrupted([] {
          std::thread([] { run([] { expect(is_default(SIGINT), "not its own"); }); }).join();
          run([] { expect(!is_default(SIGINT), "its own"); });
          return "fine";
        }) == "fine");
}

// In this process: in a fork of one with threads, ThreadSanitizer keeps what signals come.
TEST_CASE("SIGINT from outside wakes a loop that sleeps") {
  const struct sigaction as_usual = {};
  struct sigaction before = {};
  sigaction(SIGINT, &as_usual, &before);
  pid_t sender = 0;
  CHECK_THROWS_AS(run([&] {
                    sender = signal_when_asleep(SIGINT);
                    sleep(1h);
                  }),
                  Interrupted);
  sigaction(SIGINT, &before, nullptr);
  int status = -1;
  CHECK(waitpid(sender, &status, 0) == sender);
  CHECK(status == 0);
}
