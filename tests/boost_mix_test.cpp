// Boost.Context's fibers in one process with ours: it is what others' coroutines often stand on,
// and up to 1.87 it keeps no exception state of its own.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <boost/context/fiber.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::yield;
using Boost = boost::context::fiber;

namespace {

std::string current_text() {
  try {
    if (const std::exception_ptr current = std::current_exception())
      std::rethrow_exception(current);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}

/// A Boost fiber that counts, and throws and catches something at each step; `between` runs on its
/// stack.
template <class Between>
Boost counter(int& count, Between between) {
  return Boost([&count, between](Boost&& resumer) {
    for (;;) {
      try {
        throw std::runtime_error("Boost's");
      } catch (const std::runtime_error&) {
        between();
        count += current_text() == "Boost's" ? 1 : 1000;
      }
      resumer = std::move(resumer).resume();
    }
    return std::move(resumer);
  });
}

/// Parks while unwinding, and notes what the fiber is told meanwhile.
struct ParksAtEnd {
  int& wrong;
  ~ParksAtEnd() {
    yield();
    wrong += std::uncaught_exceptions() != 1;
  }
};

constexpr int rounds = 50;

/// What one of our fibers does with a Boost fiber: parks inside a handler between two resumes.
template <class Between>
void play(const std::string& mine, int& wrong, Between between) {
  int count = 0;
  Boost boost = counter(count, between);
  for (int round = 0; round < rounds; ++round) {
    try {
      const ParksAtEnd parks{wrong};
      throw std::runtime_error(mine);
    } catch (const std::runtime_error&) {
      yield();
      boost = std::move(boost).resume();
      wrong += current_text() != mine;
      yield();
      wrong += current_text() != mine;
      try {
        throw;
      } catch (const std::runtime_error& error) {
        yield();
        wrong += error.what() != mine;
      }
    }
    wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
  }
  wrong += count != rounds;
}

template <class Between>
int play_on_many(Between between) {
  int wrong = 0;
  Scheduler scheduler;
  for (int i = 0; i < 20; ++i) {
    scheduler.spawn(
        [&wrong, between, i] { play("of fiber " + std::to_string(i), wrong, between); });
  }
  wrong += scheduler.run() != 0;
  wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
  return wrong;
}

}  // namespace

TEST_CASE("our fibers park in handlers between two resumes of a Boost fiber") {
  CHECK(play_on_many([] {}) == 0);
}

TEST_CASE("our fibers park in a handler while they are on a Boost fiber's stack") {
  CHECK(play_on_many([] { yield(); }) == 0);
}

TEST_CASE("a parked Boost fiber is unwound while ours are parked in handlers") {
  int unwound = 0;
  int wrong = 0;
  Scheduler scheduler;
  for (int i = 0; i < 20; ++i) {
    scheduler.spawn([&unwound, &wrong, i] {
      const std::string mine = std::to_string(i);
      struct Counts {
        int& unwound;
        ~Counts() {
          yield();
          ++unwound;
        }
      };
      try {
        throw std::runtime_error(mine);
      } catch (const std::runtime_error&) {
        {
          Boost boost([&unwound](Boost&& resumer) {
            const Counts counts{unwound};
            resumer = std::move(resumer).resume();
            return std::move(resumer);
          });
          boost = std::move(boost).resume();
          yield();
        }
        wrong += current_text() != mine;
      }
      wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
    });
  }
  CHECK(scheduler.run() == 0);
  CHECK(unwound == 20);
  CHECK(wrong == 0);
}

TEST_CASE("a scheduler runs on a Boost fiber, whose resumer goes on between its ticks") {
  int wrong = 0;
  int steps = 0;
  Boost boost([&](Boost&& resumer) {
    Scheduler scheduler;
    for (int i = 0; i < 5; ++i) {
      scheduler.spawn([&wrong, i] { play("of fiber " + std::to_string(i), wrong, [] {}); });
    }
    while (!scheduler.is_idle()) {
      scheduler.run_tick();
      resumer = std::move(resumer).resume();
    }
    return std::move(resumer);
  });
  while (boost) {
    boost = std::move(boost).resume();
    ++steps;
    try {
      throw std::runtime_error("the resumer's");
    } catch (const std::runtime_error&) {
      wrong += current_text() != "the resumer's";
    }
    wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
  }
  CHECK(steps > rounds);
  CHECK(wrong == 0);
}
