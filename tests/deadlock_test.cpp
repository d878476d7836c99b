// jumpcut::Deadlock: when a loop says that it can never go on, and what it says.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <atomic>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using Catch::Matches;
using jumpcut::await, jumpcut::create_task, jumpcut::Deadlock, jumpcut::Future, jumpcut::Lock;
using jumpcut::Loop, jumpcut::Task, jumpcut::VirtualClock;

namespace {

/// The text of the Deadlock that body() ends in, as a loop's main task; "" if it ends well.
template <class Body>
std::string deadlock_of(Body body) {
  try {
    on_loop(std::move(body));
  } catch (const Deadlock& error) {
    return error.what();
  }
  return {};
}

/// The same on a loop that keeps real time.
template <class Body>
std::string real_deadlock_of(Body body) {
  try {
    jumpcut::run(std::move(body));
  } catch (const Deadlock& error) {
    return error.what();
  }
  return {};
}

/// How often a part occurs in a text.
int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

[[gnu::noinline]] void wait_at_gate(const Future<>& gate) {
  await(gate);
  asm volatile("" : : : "memory");
}

[[gnu::noinline]] void wait_in_lock(Lock& lock) {
  const std::lock_guard guard(lock);
  asm volatile("" : : : "memory");
}

}  // namespace

TEST_CASE("a deadlock lists every parked task in the order of creation, with what it waits for") {
  jumpcut::Event event;
  jumpcut::Queue<int> queue;
  const std::string text = deadlock_of([&] {
    const Future<> gate;
    const auto a = create_task([&] { event.wait(); }, {.name = "a"});
    const auto b = create_task([&] { queue.get(); }, {.name = "b"});
    const auto c = create_task([&] { await(a); }, {.name = "c"});
    await(gate);
  });
  INFO(text);
  CHECK_THAT(text, Catch::StartsWith("deadlock: nothing is ready, no timer is set, no descriptor "
                                     "is watched, and nobody could post\n"));
  CHECK_THAT(text, Matches("(.|\n)*\n  task 'Task-1' waits for future:\n(.|\n)*"
                           "\n  task 'a' waits for Event.wait\\(\\):\n(.|\n)*"
                           "\n  task 'b' waits for Queue.get\\(\\):\n(.|\n)*"
                           "\n  task 'c' waits for task 'a':\n(.|\n)*"));
  CHECK(text.back() != '\n');
}

TEST_CASE("a deadlock says where each task waits: the innermost calls of the program's own") {
  Lock lock;
  const std::string text = deadlock_of([&] {
    lock.lock();
    const auto task = create_task([&] { wait_in_lock(lock); }, {.name = "locker"});
    wait_at_gate(Future<>());
  });
  INFO(text);
  CHECK_THAT(text, Matches("(.|\n)*  task 'Task-1' waits for future:\n"
                           "    [^\n]*wait_at_gate\\([^\n]*deadlock_test\\+0x[0-9a-f]+\\)\n(.|\n)*"
                           "  task 'locker' waits for Lock.lock\\(\\), held by task 'Task-1':\n"
                           "    [^\n]*wait_in_lock\\([^\n]*\n(.|\n)*"));
}

TEST_CASE("of more than twenty parked tasks a deadlock lists twenty and counts the rest") {
  const auto park = [](int others) {
    return deadlock_of([&] {
      std::vector<Task<>> tasks;
      const Future<> gate;
      for (int i = 0; i < others; ++i) tasks.push_back(create_task([&] { await(gate); }));
      await(gate);
    });
  };
  const std::string twenty = park(19);
  CHECK(count(twenty, "waits for future") == 20);
  CHECK(count(twenty, " more task") == 0);
  CHECK_THAT(park(20), Contains("\n  and 1 more task"));
  const std::string many = park(41);
  CHECK(count(many, "waits for future") == 20);
  CHECK_THAT(many, Contains("\n  and 22 more tasks"));
}

TEST_CASE("a deadlock names tasks that await each other in a circle") {
  const std::string text = deadlock_of([] {
    Task<> c;
    const auto a = create_task([&] { await(c); }, {.name = "a"});
    const auto b = create_task([&] { await(a); }, {.name = "b"});
    c = create_task([&] { await(b); }, {.name = "c"});
    await(c);
  });
  INFO(text);
  CHECK(count(text, "in a circle") == 1);
  CHECK_THAT(text,
             Contains("\n  in a circle: task 'a' waits for task 'c', that for task 'b', that for "
                      "task 'a'"));
}

TEST_CASE("a deadlock names a circle that leads through a gather") {
  const std::string text = deadlock_of([] {
    Task<> b;
    const auto a = create_task([&] { jumpcut::gather(b); }, {.name = "a"});
    b = create_task([&] { await(a); }, {.name = "b"});
    await(a);
  });
  CHECK_THAT(text, Contains("\n  in a circle: task 'a' waits for gather(), that for task 'b', that "
                            "for task 'a'"));
}

TEST_CASE("a deadlock names tasks that hold each other's locks") {
  Lock fork;
  Lock knife;
  const std::string text = deadlock_of([&] {
    const auto eat = [](Lock& first, Lock& second) {
      const std::lock_guard one(first);
      ticks();
      const std::lock_guard other(second);
    };
    const auto plato = create_task([&] { eat(fork, knife); }, {.name = "plato"});
    const auto kant = create_task([&] { eat(knife, fork); }, {.name = "kant"});
    jumpcut::gather(plato, kant);
  });
  INFO(text);
  CHECK_THAT(text, Contains("\n  task 'plato' waits for Lock.lock(), held by task 'kant'"));
  CHECK_THAT(text, Contains("\n  task 'kant' waits for Lock.lock(), held by task 'plato'"));
  CHECK_THAT(text, Contains("\n  in a circle: task 'plato' waits for task 'kant', that for task "
                            "'plato'"));
}

TEST_CASE("a deadlock tells who has a lock: the task itself, one that has ended, or nobody known") {
  CHECK_THAT(deadlock_of([] {
               Lock lock;
               lock.lock();
               lock.lock();
             }),
             Contains("task 'Task-1' waits for Lock.lock(), held by itself") &&
                 Contains("\n  in a circle: task 'Task-1' waits for itself"));
  CHECK_THAT(deadlock_of([] {
               Lock lock;
               await(create_task([&] { lock.lock(); }));
               lock.lock();
             }),
             Contains("task 'Task-1' waits for Lock.lock(), held by a task that has ended"));
  CHECK_THAT(deadlock_of([] {
               Lock lock;
               jumpcut::get_running_loop().call_soon([&] { lock.try_lock(); });
               ticks();
               CHECK(lock.locked());
               lock.lock();
             }),
             Contains("task 'Task-1' waits for Lock.lock():"));
  CHECK_THAT(deadlock_of([] {
               Lock lock;
               lock.lock();
               const auto next = create_task([&] { lock.lock(), await(Future<>()); });
               ticks();
               lock.unlock();
               ticks();
               lock.lock();
             }),
             Contains("task 'Task-1' waits for Lock.lock(), held by task 'Task-2'"));
  jumpcut::Condition condition;
  CHECK_THAT(deadlock_of([&] {
               const auto task = create_task([&] {
                 const std::unique_lock hold(condition);
                 condition.wait();
               });
               ticks();
               const std::lock_guard hold(condition);
               condition.notify();
               await(Future<>());
             }),
             Contains(", held by task 'Task-1'"));
}

TEST_CASE("a long circle is named in short") {
  const std::string text = deadlock_of([] {
    std::vector<Task<>> tasks(500);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      tasks[i] = create_task([&, i] { await(tasks[(i + 1) % tasks.size()]); });
    }
    await(tasks[0]);
  });
  CHECK(count(text, "in a circle") == 1);
  CHECK_THAT(text, Contains("many others"));
  CHECK(text.size() < 10000);
}

TEST_CASE("a circle that can be named in full is") {
  const std::string text = deadlock_of([] {
    std::vector<Task<>> tasks(21);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      tasks[i] = create_task([&, i] { await(tasks[(i + 1) % tasks.size()]); });
    }
    await(tasks[0]);
  });
  CHECK(count(text, ", that for ") == 20);
  CHECK_THAT(text, !Contains("many others"));
}

TEST_CASE("a loop that was in a deadlock can be made to go on") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  const Future<int> gate = loop.create_future<int>();
  const Task<int> task = loop.create_task([&] { return await(gate); });
  CHECK_THROWS_AS(loop.run_until_complete(task), Deadlock);
  gate.set_result(7);
  CHECK(loop.run_until_complete(task) == 7);
}

TEST_CASE("a loop without tasks is in a deadlock too") {
  VirtualClock clock;
  Loop loop({.clock = &clock});
  CHECK_THROWS_WITH(loop.run_forever(), Matches("deadlock: [^\n]*nobody could post"));
}

TEST_CASE("the tasks of a deadlock are cancelled when their loop ends, circles too") {
  Task<> a;
  Task<> b;
  int cancelled = 0;
  const auto wait_for = [&](const Task<>& task) {
    if (is_cancelled([&] { await(task); })) ++cancelled;
    throw std::runtime_error("gone");
  };
  const std::string text = deadlock_of([&] {
    jumpcut::get_running_loop().set_exception_handler([](const jumpcut::ErrorContext&) {});
    a = create_task([&] { wait_for(b); });
    b = create_task([&] { wait_for(a); });
    await(Future<>());
  });
  CHECK_THAT(text, Contains("in a circle"));
  CHECK(cancelled == 1);  // the other one's await throws what that one ended with
  CHECK(a.done());
  CHECK(b.done());
}

TEST_CASE("a long circle of tasks ends with their loop as a chain of as many does") {
  static constexpr std::size_t length = sanitized || EMULATED ? 1'000 : 10'000;
  std::size_t cancelled = 0;
  deadlock_of([&] {
    const auto all = std::make_shared<std::vector<Task<>>>(length);
    for (std::size_t i = 0; i < length; ++i) {
      (*all)[i] = create_task([&cancelled, all, i] {
        try {
          await((*all)[(i + 1) % length]);
        } catch (const jumpcut::Cancelled&) {
          ++cancelled;
          throw;
        }
      });
    }
    await(Future<>());
  });
  CHECK(cancelled == length);
}

TEST_CASE("on a virtual clock a timer comes before a deadlock") {
  VirtualClock clock;
  CHECK_THROWS_AS(jumpcut::run(
                      [] {
                        jumpcut::sleep(1h);
                        await(Future<>());
                      },
                      {.clock = &clock}),
                  Deadlock);
  CHECK(clock.now() == jumpcut::TimePoint(1h));
}

TEST_CASE("a loop in real time that can never go on is in a deadlock, its watchdog or not") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  for (const bool watchdog : {true, false}) {
    CHECK_THROWS_WITH(jumpcut::run([] { await(Future<>()); }, {.loop = {.watchdog = watchdog}}),
                      Contains("task 'Task-1' waits for future:"));
  }
}

TEST_CASE("threads of a pool that have nothing to do don't keep a loop from a deadlock") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  jumpcut::ThreadPool pool({.max_workers = 2});
  const std::string text = real_deadlock_of([&] {
    CHECK(await(jumpcut::run_in_executor(&pool, [] { return 1; })) == 1);
    CHECK(jumpcut::to_thread([] { return 2; }) == 2);
    wait_at_gate(Future<>());
  });
  CHECK_THAT(text, Contains("wait_at_gate"));
}

TEST_CASE("a loop is not in a deadlock while a thread works for it") {
  for (const bool is_virtual : {false, true}) {
    VirtualClock clock;
    std::atomic<bool> parked{false};
    jumpcut::RunOptions options;
    if (is_virtual) options.clock = &clock;
    const int value = jumpcut::run(
        [&] {
          const auto task = create_task([&] {
            return jumpcut::to_thread([&] {
              while (!parked) sched_yield();
              return 3;
            });
          });
          ticks(2);
          parked = true;
          return await(task);
        },
        options);
    CHECK(value == 3);
  }
}

namespace {

/// Whether the thread is in the midst of a system call that takes its time.
bool is_asleep(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  return name_end != text.npos && text.size() > name_end + 2 && text[name_end + 2] == 'S';
}

}  // namespace

TEST_CASE("a loop in real time waits for a thread that could post") {
  std::thread thread;
  const pid_t loops_thread = gettid();
  const int value = jumpcut::run([&] {
    Future<int> gate;
    Loop& loop = jumpcut::get_running_loop();
    thread = std::thread([&loop, gate = &gate, loops_thread] {
      while (!is_asleep(loops_thread)) sched_yield();
      loop.call_soon_threadsafe([gate] { gate->set_result(4); });
    });
    return await(gate);
  });
  thread.join();
  CHECK(value == 4);
}

TEST_CASE("a thread that ends without a post leaves a loop that waited for it in a deadlock") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  const pid_t loops_thread = gettid();
  std::optional<std::thread> thread;
  const std::string text = real_deadlock_of([&] {
    thread.emplace([loops_thread] {
      while (!is_asleep(loops_thread)) sched_yield();
    });
    wait_at_gate(Future<>());
  });
  thread->join();
  CHECK_THAT(text, Contains("wait_at_gate"));
}

TEST_CASE("a descriptor that is watched keeps a loop from a deadlock") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  for (const bool is_virtual : {false, true}) {
    VirtualClock clock;
    jumpcut::RunOptions options;
    if (is_virtual) options.clock = &clock;
    const pid_t loops_thread = gettid();
    std::thread thread([&] {
      while (!is_asleep(loops_thread)) sched_yield();
      CHECK(write(ends[1], "x", 1) == 1);
    });
    jumpcut::run(
        [&] {
          const Future<> readable;
          Loop& loop = jumpcut::get_running_loop();
          loop.add_reader(ends[0], [&] {
            char byte = 0;
            CHECK(read(ends[0], &byte, 1) == 1);
            loop.remove_reader(ends[0]);
            readable.set_result();
          });
          await(readable);
        },
        options);
    thread.join();
  }
  for (const int end : ends) close(end);
}

TEST_CASE("a deadlock that nobody catches ends the program with its text") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might post
  const Ended ended = in_child([] { on_loop([] { await(Future<>()); }); });
  CHECK(ended.exit_code == 1);
  CHECK_THAT(ended.output,
             Contains("exception: deadlock: ") && Contains("task 'Task-1' waits for future"));
}
