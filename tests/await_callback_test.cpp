// jumpcut/await_callback.hpp: what a callback may do, and may do wrong, and what the task sees.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/jumpcut.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "child.hpp"
#include "counted.hpp"

using jumpcut::await;
using jumpcut::await_callback;
using jumpcut::CallbackDropped;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::Done;
using jumpcut::sleep;
using namespace std::chrono_literals;

namespace {

/// On a virtual clock, with the texts of what the exception handler is told.
template <class Function>
std::vector<std::string> run_virtually(Function&& function) {
  jumpcut::VirtualClock clock;
  std::vector<std::string> reports;
  jumpcut::RunOptions options;
  options.clock = &clock;
  jumpcut::Runner runner(options);
  runner.get_loop().set_exception_handler(
      [&](const jumpcut::ErrorContext& context) { reports.push_back(context.describe()); });
  runner.run(std::forward<Function>(function));
  runner.close();
  return reports;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

/// Of memory, that this process has now.
std::size_t resident_pages() {
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident;
}

}  // namespace

TEST_CASE("await_callback returns what the callback brings") {
  run_virtually([] {
    CHECK(await_callback<int>([](auto done) { done(7); }) == 7);
    const auto [number, text] =
        await_callback<int, std::string>([](auto done) { done(7, "seven"); });
    CHECK(number == 7);
    CHECK(text == "seven");
    await_callback<>([](auto done) { done(); });
    await_callback([](auto done) { done(); });
    auto moved =
        await_callback<std::unique_ptr<int>>([](auto done) { done(std::make_unique<int>(8)); });
    CHECK(*moved == 8);
  });
}

TEST_CASE("a callback that is called before start returns doesn't make the task wait") {
  run_virtually([] {
    std::string order;
    auto other = create_task([&] { order += 'o'; });
    await_callback<int>([](auto done) { done(1); });
    order += 'm';
    await(other);
    CHECK(order == "mo");
  });
}

TEST_CASE("a million callbacks that are called at once leave the stack flat and never yield") {
  run_virtually([] {
    const auto ticks = jumpcut::get_running_loop().stats().ticks;
    const std::size_t memory = resident_pages();
    const char* low = nullptr;
    const char* high = nullptr;
    long sum = 0;
    for (int i = 0; i < (sanitized ? 100'000 : 1'000'000); ++i) {
      sum += await_callback<int>([&](auto done) {
        const auto* here = static_cast<const char*>(__builtin_frame_address(0));
        low = low == nullptr ? here : std::min(low, here);
        high = std::max(high, here);
        done(1);
      });
    }
    CHECK(sum == (sanitized ? 100'000 : 1'000'000));
    CHECK(high - low < 4096);
    if (!sanitized) CHECK(resident_pages() - memory < 64);
    CHECK(jumpcut::get_running_loop().stats().ticks == ticks);
  });
}

TEST_CASE(
    "a callback that is called later makes the task ready, and never runs it inside the call") {
  run_virtually([] {
    std::string order;
    std::optional<Done<int>> kept;
    auto task = create_task([&] {
      const int value = await_callback<int>([&](auto done) { kept = done; });
      order += std::to_string(value);
    });
    sleep(0s);
    CHECK(task.phase() == jumpcut::Task<>::Phase::suspended);
    (*kept)(5);
    order += 'c';
    CHECK(task.phase() == jumpcut::Task<>::Phase::ready);
    await(task);
    CHECK(order == "c5");
  });
}

TEST_CASE("a callback can be called from a callback of the loop") {
  run_virtually([] {
    CHECK(await_callback<int>([](auto done) {
            jumpcut::get_running_loop().call_later(1s, [done] { done(3); });
          }) == 3);
  });
}

TEST_CASE("a callback can be called while its loop does not run, or another one does") {
  jumpcut::VirtualClock clock;
  jumpcut::Loop loop({.clock = &clock});
  std::optional<Done<int>> kept;
  const auto wait = [&] { return await_callback<int>([&](auto done) { kept = done; }); };
  auto first = loop.create_task(wait);
  loop.run_until_complete([] { sleep(0s); });
  (*kept)(1);
  CHECK(loop.run_until_complete(first) == 1);
  auto second = loop.create_task(wait);
  loop.run_until_complete([] { sleep(0s); });
  run_virtually([&] {
    (*kept)(2);
    sleep(1s);
    CHECK(!second.done());
  });
  CHECK(loop.run_until_complete(second) == 2);
}

TEST_CASE("a callback can be called from another thread") {
  jumpcut::run([] {
    for (int i = 0; i < 100; ++i) {
      std::thread thread;
      const auto value = await_callback<std::string>([&](auto done) {
        thread = std::thread([done = std::move(done), i] { done(std::to_string(i)); });
      });
      CHECK(value == std::to_string(i));
      thread.join();
    }
  });
}

TEST_CASE("done.fail makes await_callback throw that error") {
  run_virtually([] {
    CHECK_THROWS_WITH(
        await_callback<int>([](auto done) { done.fail(std::runtime_error("no route")); }),
        "no route");
    CHECK_THROWS_AS(await_callback<int>([](auto done) {
                      done.fail(std::make_exception_ptr(std::out_of_range("x")));
                    }),
                    std::out_of_range);
    CHECK_THROWS_AS(await_callback<int>([](auto done) { done.fail(nullptr); }),
                    jumpcut::ValueError);
  });
}

TEST_CASE("a value that throws as it is stored fails the wait, not the call") {
  static bool throws = false;
  struct Fragile {
    Fragile() = default;
    Fragile(Fragile&&) {
      if (std::exchange(throws, false)) throw std::runtime_error("broken");
    }
  };
  run_virtually([] {
    throws = true;
    CHECK_THROWS_WITH(await_callback<Fragile>([](auto done) { done(Fragile()); }), "broken");
  });
}

TEST_CASE("what start throws comes out of await_callback, and its callback is forgotten") {
  run_virtually([] {
    std::optional<Done<Counted>> kept;
    int late = 0;
    CHECK_THROWS_WITH(await_callback<Counted>(
                          [&](auto done) {
                            kept = done;
                            throw std::runtime_error("refused");
                          },
                          {.on_late = [&](Counted&&) { ++late; }}),
                      "refused");
    (*kept)(Counted());
    CHECK(late == 1);
    CHECK_THROWS_WITH(await_callback<Counted>(
                          [&](auto done) {
                            done(Counted());
                            throw std::runtime_error("refused");
                          },
                          {.on_late = [&](Counted&&) { ++late; }}),
                      "refused");
    CHECK(late == 2);
  });
  CHECK(Counted::alive == 0);
}

TEST_CASE("a callback that is called twice is counted, and reported with both places") {
  const auto reports = run_virtually([] {
    const int value = await_callback<int>([](auto done) {
      done(1);
      done(2);
      done(3);
      done.fail(std::runtime_error("no"));
    });
    CHECK(value == 1);
    CHECK(jumpcut::get_running_loop().stats().repeated_callbacks == 3);
    sleep(0s);
  });
  REQUIRE(reports.size() == 1);  // once for each await
  INFO(reports[0]);
  CHECK(contains(reports[0], "called more than once"));
  CHECK(contains(reports[0], "await_callback_test.cpp:"));
  CHECK(contains(reports[0], "await_callback_test"));
  CHECK(contains(reports[0], "this happened in"));
}

TEST_CASE("a callback that is called again after the await has ended does no harm") {
  const auto reports = run_virtually([] {
    std::optional<Done<int>> kept;
    CHECK(await_callback<int>([&](auto done) {
            kept = done;
            done(1);
          }) == 1);
    (*kept)(2);
    sleep(0s);
  });
  CHECK(reports.size() == 1);
}

TEST_CASE("a callback that is dropped uncalled makes await_callback throw where it was awaited") {
  run_virtually([] {
    try {
      await_callback<int>([](auto) {});
      FAIL("it returned");
    } catch (const CallbackDropped& error) {
      INFO(error.what());
      CHECK(contains(error.what(), "dropped without being called"));
      CHECK(contains(error.what(), "await_callback_test.cpp:"));
      CHECK(contains(error.what(), "this happened in"));
    }
    std::optional<Done<int>> kept;
    auto task = create_task([&] { await_callback<int>([&](auto done) { kept = done; }); });
    sleep(0s);
    Done<int> copy = *kept;
    kept.reset();
    sleep(0s);
    CHECK(!task.done());
    { const Done<int> last = std::move(copy); }
    CHECK_THROWS_AS(await(task), CallbackDropped);
  });
}

TEST_CASE("a callback that another thread drops says so") {
  jumpcut::run([] {
    std::thread thread;
    try {
      await_callback<int>([&](auto done) { thread = std::thread([done] {}); });
      FAIL("it returned");
    } catch (const CallbackDropped& error) {
      INFO(error.what());
      CHECK(contains(error.what(), "await_callback_test.cpp:"));
    }
    thread.join();
  });
}

TEST_CASE("a cancelled await_callback calls cancel, and what comes late goes to on_late") {
  run_virtually([] {
    std::optional<Done<Counted>> kept;
    std::string order;
    auto task = create_task([&] {
      await_callback<Counted>(
          [&](auto done) { kept = done; },
          {.cancel = [&] { order += 'c'; }, .on_late = [&](Counted&&) { order += 'l'; }});
    });
    sleep(0s);
    task.cancel();
    CHECK(order == "");
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(order == "c");
    (*kept)(Counted());
    CHECK(order == "cl");
  });
  CHECK(Counted::alive == 0);
}

TEST_CASE("a library may call back from inside cancel") {
  run_virtually([] {
    std::optional<Done<int>> kept;
    int late = 0;
    auto task = create_task([&] {
      await_callback<int>(
          [&](auto done) { kept = done; },
          {.cancel = [&] { (*kept)(-1); }, .on_late = [&](int value) { late = value; }});
    });
    sleep(0s);
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(late == -1);
  });
}

TEST_CASE("a late result without on_late is destroyed") {
  run_virtually([] {
    std::optional<Done<Counted>> kept;
    CHECK_THROWS_AS(await_callback<Counted>([&](auto done) { kept = done; }, {.timeout = 1s}),
                    jumpcut::TimeoutError);
    (*kept)(Counted());
    CHECK(Counted::alive == 0);
  });
}

TEST_CASE("await_callback throws TimeoutError when its time is up, and calls cancel") {
  run_virtually([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    const auto begin = loop.time();
    std::optional<Done<int>> kept;
    int cancelled = 0;
    int late = 0;
    try {
      await_callback<int>([&](auto done) { kept = done; },
                          {.timeout = 3s,
                           .cancel = [&] { ++cancelled; },
                           .on_late = [&](int value) { late = value; }});
      FAIL("it returned");
    } catch (const jumpcut::TimeoutError& error) {
      CHECK(contains(error.what(), "await_callback_test.cpp:"));
    }
    CHECK(loop.time() - begin == 3s);
    CHECK(cancelled == 1);
    (*kept)(4);
    CHECK(late == 4);
    CHECK_THROWS_AS(await_callback<int>([&](auto done) { kept = done; },
                                        {.timeout = 3h, .deadline = loop.time() + 1s}),
                    jumpcut::TimeoutError);
    CHECK(loop.time() - begin == 4s);
  });
}

TEST_CASE("a callback that comes at the deadline counts more than the timeout") {
  run_virtually([] {
    int cancelled = 0;
    CHECK(await_callback<int>(
              [](auto done) { jumpcut::get_running_loop().call_later(1s, [done] { done(6); }); },
              {.timeout = 1s, .cancel = [&] { ++cancelled; }}) == 6);
    // The other way round: the alarm has its turn first, the task its own after both.
    std::optional<Done<int>> kept;
    auto task = create_task([&] {
      return await_callback<int>([&](auto done) { kept = done; },
                                 {.timeout = 1s, .cancel = [&] { ++cancelled; }});
    });
    sleep(0s);
    jumpcut::get_running_loop().call_later(1s, [&] { (*kept)(7); });
    CHECK(await(task) == 7);
    CHECK(cancelled == 0);
  });
}

TEST_CASE("a result that comes just before the cancellation goes to on_late") {
  run_virtually([] {
    std::optional<Done<Counted>> kept;
    int late = 0;
    int cancelled = 0;
    auto task = create_task([&] {
      await_callback<Counted>(
          [&](auto done) { kept = done; },
          {.cancel = [&] { ++cancelled; }, .on_late = [&](Counted&&) { ++late; }});
    });
    sleep(0s);
    (*kept)(Counted());
    task.cancel();
    CHECK_THROWS_AS(await(task), Cancelled);
    CHECK(late == 1);
    CHECK(cancelled == 0);  // the library is done, there is nothing to stop
  });
  CHECK(Counted::alive == 0);
}

TEST_CASE("a cancellation that comes before the call lets a callback that comes at once win") {
  run_virtually([] {
    auto task = create_task([] {
      jumpcut::current_task().cancel();
      const int value = await_callback<int>([](auto done) { done(1); });
      CHECK(value == 1);
      sleep(0s);  // it is not lost
    });
    CHECK_THROWS_AS(await(task), Cancelled);
  });
}

TEST_CASE("what cancel and on_late throw goes to the exception handler") {
  const auto reports = run_virtually([] {
    std::optional<Done<int>> kept;
    CHECK_THROWS_AS(
        await_callback<int>([&](auto done) { kept = done; },
                            {.timeout = 1s,
                             .cancel = [] { throw std::runtime_error("first"); },
                             .on_late = [](int) { throw std::runtime_error("second"); }}),
        jumpcut::TimeoutError);
    (*kept)(1);
    sleep(0s);
  });
  REQUIRE(reports.size() == 2);
  CHECK(reports[0] == "Exception in CallbackOptions::cancel: first");
  CHECK(reports[1] == "Exception in CallbackOptions::on_late: second");
}

TEST_CASE("a callback goes through a C library as a pointer") {
  run_virtually([] {
    using Function = void (*)(void*, int);
    std::vector<std::pair<Function, void*>> library;
    auto task = create_task([&] {
      return await_callback<int>([&](auto done) {
        using Kept = decltype(done);
        library.emplace_back([](void* context, int value) { Kept::from_pointer(context)(value); },
                             std::move(done).to_pointer());
        CHECK_THROWS_AS(done(1), jumpcut::RuntimeError);
      });
    });
    sleep(0s);
    library[0].first(library[0].second, 9);
    CHECK(await(task) == 9);
  });
}

TEST_CASE("a callback converts its values inside the call") {
  run_virtually([] {
    auto task = create_task([] {
      return await_callback<std::string>([](auto done) {
        char text[] = "short-lived";
        std::function<void(const char*)> as_library_sees_it = done;
        as_library_sees_it(text);
        text[0] = 'X';
      });
    });
    CHECK(await(task) == "short-lived");
  });
}

TEST_CASE("await_callback outside a task throws before start is called") {
  bool started = false;
  const auto start = [&](auto) { started = true; };
  CHECK_THROWS_AS(await_callback<int>(start), jumpcut::RuntimeError);
  CHECK_THROWS_AS(run_virtually([] { await_callback<int>(std::function<void(Done<int>)>()); }),
                  jumpcut::ValueError);
  run_virtually([&] {
    auto future = jumpcut::get_running_loop().create_future();
    jumpcut::get_running_loop().call_soon([&] {
      CHECK_THROWS_AS(await_callback<int>(start), jumpcut::RuntimeError);
      future.set_result();
    });
    await(future);
  });
  CHECK(!started);
}

TEST_CASE("a callback that nobody will call is a deadlock that names where it is awaited") {
  if (EMULATED) return;  // the emulator has a thread of its own, which might call it
  std::optional<Done<int>> kept;
  try {
    run_virtually([&] { await_callback<int>([&](auto done) { kept = done; }); });
    FAIL("it returned");
  } catch (const jumpcut::Deadlock& error) {
    INFO(error.what());
    CHECK(contains(error.what(), "await_callback() at await_callback_test.cpp:"));
  }
}

TEST_CASE("a thread that has a callback keeps a virtual clock's loop from a deadlock") {
  run_virtually([] {
    std::thread thread;
    const int value = await_callback<int>([&](auto done) {
      thread = std::thread([done = std::move(done)] {
        std::this_thread::sleep_for(20ms);
        done(1);
      });
    });
    CHECK(value == 1);
    thread.join();
  });
}
