// jumpcut/await_callback.hpp: callbacks that outlive the wait, or the loop.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/jumpcut.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "counted.hpp"
#include "on_loop.hpp"

using jumpcut::await;
using jumpcut::await_callback;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::Done;
using jumpcut::sleep;
using namespace std::chrono_literals;

namespace {

void in_a_thread(const std::function<void()>& function) {
  std::thread(function).join();
}

}  // namespace

TEST_CASE("a callback may come after the loop's end") {
  std::optional<Done<Counted>> kept;
  std::optional<Done<Counted>> used;
  int late = 0;
  on_loop([&] {
    auto task = create_task([&] {
      await_callback<Counted>([&](auto done) { kept = done; },
                              {.on_late = [&](Counted&&) { ++late; }});
    });
    task.detach();
    await_callback<Counted>([&](auto done) {
      used = done;
      done(Counted());
    });
  });
  (*kept)(Counted());
  CHECK(late == 1);
  used.reset();
  kept.reset();
  CHECK(Counted::alive == 0);
}

TEST_CASE("a callback that is called again after the loop's end is reported on standard error") {
  const Ended ended = in_child([] {
    std::optional<Done<int>> kept;
    jumpcut::run([&] {
      await_callback<int>([&](auto done) {
        kept = done;
        done(1);
      });
    });
    (*kept)(2);
    in_a_thread([&] { (*kept)(3); });
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  CHECK(ended.output.find("called more than once") != std::string::npos);
}

TEST_CASE("a callback for a task that refused to end finds the loop gone, from any thread") {
  const Ended ended = in_child([] {
    std::optional<Done<Counted>> kept[2];
    int late = 0;
    jumpcut::RunOptions options;
    options.loop.shutdown_timeout = 0s;
    jumpcut::run(
        [&] {
          for (auto& mine : kept) {
            create_task([&] {
              for (;;) {
                try {
                  await_callback<Counted>([&](auto done) { mine = done; },
                                          {.on_late = [&](Counted&&) { ++late; }});
                } catch (const Cancelled&) {
                }
              }
            }).detach();
          }
          sleep(0s);
        },
        options);
    (*kept[0])(Counted());
    expect(late == 1, "the result goes to on_late");
    in_a_thread([&] { (*kept[1])(Counted()); });
    expect(late == 2, "the other thread's does too");
    for (auto& one : kept) one.reset();
    expect(Counted::alive == 0, "nothing is left");
    _exit(0);  // their stacks are left as they are
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a result that was posted to a loop that never runs again goes to on_late") {
  const Ended ended = in_child([] {
    int late = 0;
    std::optional<Done<Counted>> kept;
    jumpcut::Loop loop;
    auto task = loop.create_task([&] {
      await_callback<Counted>([&](auto done) { kept = done; },
                              {.on_late = [&](Counted&&) { ++late; }});
    });
    loop.run_until_complete([] { sleep(0s); });
    in_a_thread([&] { (*std::exchange(kept, {}))(Counted()); });
    expect(late == 0, "the task may still take it");
    on_loop([&] { loop.close(); });  // where it can't run
    expect(late == 1, "nobody can take it");
    expect(Counted::alive == 0, "nothing is left");
    _exit(0);  // the task's stack is left as it is
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a result that was posted for a wait that is over lets no later wait go on") {
  on_loop([] {
    std::optional<Done<int>> kept;
    std::string order;
    auto task = create_task([&] {
      // Twice in the same place, for what the first leaves behind on the stack.
      for (int i = 0; i < 2; ++i) {
        try {
          const int value = await_callback<int>(
              [&](auto done) { kept = done; },
              {.on_late = [&](int late) { order += "late " + std::to_string(late); }});
          order += " came " + std::to_string(value);
        } catch (const Cancelled&) {
        }
      }
    });
    sleep(0s);
    in_a_thread([&] { (*kept)(1); });
    task.cancel();
    for (int i = 0; i < 4; ++i) sleep(0s);
    CHECK(!task.done());
    (*kept)(2);
    await(task);
    CHECK(order == "late 1 came 2");
  });
}

TEST_CASE("what on_late holds is let go once nothing can come late any more") {
  on_loop([] {
    const auto held = std::make_shared<int>();
    std::optional<Done<int>> kept;
    CHECK(await_callback<int>(
              [&](auto done) {
                kept = done;
                done(1);
              },
              {.on_late = [held](int) {}}) == 1);
    CHECK(held.use_count() == 1);
    CHECK_THROWS_AS(await_callback<int>([&](auto done) { kept = done; },
                                        {.timeout = 1s, .on_late = [held](int) {}}),
                    jumpcut::TimeoutError);
    CHECK(held.use_count() == 2);
    (*kept)(1);
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("a callback that was called hides no deadlock, whatever threads there are") {
  const Ended ended = in_child([] {
    std::atomic<bool> over{false};
    std::thread bystander([&] { over.wait(false); });
    try {
      on_loop([] {
        await_callback<int>([](auto done) { done(1); });
        await(jumpcut::Future<>());
      });
    } catch (const jumpcut::Deadlock&) {
      over = true;
      over.notify_all();
      bystander.join();
      return;
    }
    expect(false, "a deadlock is found");
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}
