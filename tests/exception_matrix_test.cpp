// Random programs of throw, catch, rethrow, nesting and parking see the same on fibers as on
// threads. JUMPCUT_TEST_SEED repeats one.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "seed.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <random>
#include <thread>

#include <catch2/catch.hpp>

namespace {

constexpr std::size_t actors = 8;
constexpr std::uint64_t steps = EXCEPTION_STEPS / actors;

struct Thrown {
  std::uint64_t number;
};

/// One fiber or thread. Its course depends on its seed alone, and its trace, a hash, on what the
/// C++ runtime tells it on the way.
class Actor {
 public:
  Actor(std::uint64_t seed, void (*park)()) : random_(seed), park_(park) {}

  std::uint64_t run() {
    while (left_ > 0) {
      try {
        act(0);
      } catch (const Thrown& thrown) {
        note(thrown.number);
      }
      REQUIRE_AT_REST(std::uncaught_exceptions() == 0 && std::current_exception() == nullptr);
    }
    return trace_;
  }

 private:
  // Catch2's macros are not for threads.
  static void REQUIRE_AT_REST(bool holds) {
    if (!holds) std::abort();
  }

  struct ParksWhenDestroyed {
    Actor& actor;
    ~ParksWhenDestroyed() {
      actor.look();
      actor.park_();
      actor.look();
      if (actor.choose(2) == 0) actor.throw_and_catch();
      actor.look();
    }
  };

  void act(int depth) {
    while (left_ > 0) {
      --left_;
      switch (choose(depth < 8 ? 9 : 5)) {
        case 0:
          park_();
          look();
          break;
        case 1:
          throw_and_catch();
          break;
        case 2:
          rethrow();
          break;
        case 3:
          unwind_and_park();
          break;
        case 4:
          if (choose(4) == 0) throw Thrown{++thrown_};
          return;
        case 5:
          handle_and_act(depth);
          break;
        case 6:
          try {
            act(depth + 1);
          } catch (const Thrown& thrown) {
            note(thrown.number);
            park_();
            look();
          }
          break;
        case 7:
          keep_and_rethrow(depth);
          break;
        default: {
          ParksWhenDestroyed parks{*this};
          act(depth + 1);
        }
      }
    }
  }

  void throw_and_catch() {
    try {
      throw Thrown{++thrown_};
    } catch (const Thrown& thrown) {
      park_();
      note(thrown.number);
      look();
    }
  }

  void rethrow() {
    try {
      try {
        throw Thrown{++thrown_};
      } catch (...) {
        park_();
        look();
        throw;
      }
    } catch (const Thrown& thrown) {
      park_();
      note(thrown.number);
    }
  }

  void unwind_and_park() {
    try {
      ParksWhenDestroyed outer{*this};
      ParksWhenDestroyed inner{*this};
      throw Thrown{++thrown_};
    } catch (const Thrown& thrown) {
      note(thrown.number);
      look();
    }
  }

  void handle_and_act(int depth) {
    try {
      throw Thrown{++thrown_};
    } catch (const Thrown& thrown) {
      act(depth + 1);  // nested handlers; or leaves this one by an exception
      note(thrown.number);
      look();
    }
  }

  void keep_and_rethrow(int depth) {
    std::exception_ptr kept;
    try {
      act(depth + 1);
      throw Thrown{++thrown_};
    } catch (...) {
      kept = std::current_exception();
      park_();
    }
    look();
    try {
      std::rethrow_exception(kept);
    } catch (const Thrown& thrown) {
      park_();
      note(thrown.number);
    }
  }

  /// What the runtime says here and now.
  void look() {
    note(static_cast<std::uint64_t>(std::uncaught_exceptions()));
    const std::exception_ptr current = std::current_exception();
    if (current == nullptr) return note(0);
    try {
      std::rethrow_exception(current);
    } catch (const Thrown& thrown) {
      note(thrown.number);
    }
  }

  void note(std::uint64_t value) {
    trace_ = (trace_ ^ value) * 0x9E3779B97F4A7C15 + (trace_ >> 29);
  }
  std::uint64_t choose(std::uint64_t below) { return random_() % below; }

  std::mt19937_64 random_;
  void (*park_)();
  std::uint64_t left_ = steps;
  std::uint64_t thrown_ = 0;
  std::uint64_t trace_ = 1;
};

}  // namespace

TEST_CASE("exceptions behave on fibers as on threads, whatever is thrown, caught and parked") {
  const std::uint64_t seed = test_seed();
  INFO("JUMPCUT_TEST_SEED=" << seed);

  std::array<std::uint64_t, actors> on_threads{};
  std::array<std::thread, actors> threads;
  for (std::size_t i = 0; i < actors; ++i) {
    threads[i] = std::thread(
        [&, i] { on_threads[i] = Actor(seed + i, [] { std::this_thread::yield(); }).run(); });
  }
  for (std::thread& thread : threads) thread.join();

  std::array<std::uint64_t, actors> on_fibers{};
  jumpcut::lowlevel::Scheduler scheduler;
  for (std::size_t i = 0; i < actors; ++i) {
    scheduler.spawn(
        [&, i] { on_fibers[i] = Actor(seed + i, [] { jumpcut::lowlevel::yield(); }).run(); });
  }
  CHECK(scheduler.run() == 0);
  CHECK(on_fibers == on_threads);
  CHECK(on_fibers[0] != on_fibers[1]);
}
