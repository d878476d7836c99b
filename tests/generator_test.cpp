#include <jumpcut/generator.hpp>

#include <jumpcut/run.hpp>
#include <jumpcut/run_on_big_stack.hpp>
#include <jumpcut/sleep.hpp>

#include <memory>
#include <string>
#include <vector>

#include "child.hpp"

#include <catch2/catch.hpp>

using namespace jumpcut;
using namespace std::chrono_literals;

namespace {

using Log = std::vector<std::string>;

/// On a virtual clock. Returns what the exception handler was told.
template <class Function>
Log play(Function&& function) {
  VirtualClock clock;
  RunOptions options;
  options.clock = &clock;
  Log told;
  run(
      [&] {
        get_running_loop().set_exception_handler(
            [&](const ErrorContext& context) { told.push_back(context.describe()); });
        function();
      },
      options);
  return told;
}

/// Writes when it goes.
struct Farewell {
  ~Farewell() { log.push_back(text); }

  Log& log;
  std::string text;
};

Generator<int> counter(int last) {
  return Generator<int>([last](Yield<int>& yield) {
    for (int i = 0; i <= last; ++i) yield(i);
  });
}

}  // namespace

TEST_CASE("Generator runs only when it is asked for a value") {
  play([] {
    Log log;
    Generator<int> numbers([&](Yield<int>& yield) {
      log.push_back("begins");
      yield(1);
      log.push_back("goes on");
      yield(2);
      log.push_back("ends");
    });
    CHECK(log.empty());
    CHECK(numbers.next() == 1);
    log.push_back("-");
    CHECK(numbers.next() == 2);
    CHECK_FALSE(numbers.done());
    CHECK(numbers.next() == std::nullopt);
    CHECK(log == Log{"begins", "-", "goes on", "ends"});
    CHECK(numbers.done());
    CHECK(numbers.next() == std::nullopt);
  });
}

TEST_CASE("Generator in a range-for gives each value, from where it was yielded") {
  play([] {
    std::vector<int> got;
    int seen = 0;
    Generator<int> numbers([&](Yield<int>& yield) {
      for (int i = 0; i < 4; ++i) {
        yield(i);
        ++seen;
      }
    });
    for (int& number : numbers) {
      got.push_back(number);
      CHECK(seen == number);
    }
    CHECK(got == std::vector<int>{0, 1, 2, 3});
  });
}

TEST_CASE("Generator gives values that can only be moved") {
  play([] {
    Generator<std::unique_ptr<int>> pointers(
        [](Yield<std::unique_ptr<int>>& yield) { yield(std::make_unique<int>(7)); });
    CHECK(**pointers.next() == 7);
    auto moved = std::move(pointers);
    CHECK_FALSE(moved.next().has_value());
  });
}

TEST_CASE("Generator that awaits parks the task that asks for a value") {
  play([] {
    Log log;
    auto other = create_task([&] {
      sleep(500ms);
      log.push_back("other");
    });
    Generator<int> ticks([](Yield<int>& yield) {
      for (int i = 0; i < 2; ++i) {
        sleep(1s);
        yield(i);
      }
    });
    for (int tick : ticks) log.push_back(std::to_string(tick));
    CHECK(log == Log{"other", "0", "1"});
    CHECK(get_running_loop().time().time_since_epoch() == 2s);
    await(other);
  });
}

TEST_CASE("Generator runs as the task that asks: its name, its context variables, its waits") {
  play([] {
    static ContextVar<int> variable("variable", 0);
    auto generator = std::make_shared<Generator<int>>([](Yield<int>& yield) {
      for (;;) {
        checkpoint();
        yield(variable.get() * 10 + (current_task().name() == "second" ? 1 : 0));
      }
    });
    auto pull = [generator](int value) {
      return [generator, value] {
        variable.set(value);
        const AnyTask task = current_task();
        const int got = *generator->next();
        CHECK(current_task() == task);
        return got;
      };
    };
    CHECK(await(create_task(pull(1), {.name = "first"})) == 10);
    CHECK(await(create_task(pull(2), {.name = "second"})) == 21);
    variable.set(3);
    CHECK(*generator->next() == 30);

    auto sleeper = create_task([] {
      Generator<int> sleepy([](Yield<int>&) { sleep(1h); });
      sleepy.next();
    });
    sleep(1s);
    CHECK(sleeper.phase() == Task<>::Phase::suspended);
    CHECK(sleeper.waiting_for() == "sleep");
    sleeper.cancel();
    CHECK_THROWS_AS(await(sleeper), Cancelled);
  });
}

TEST_CASE("Generator sees its task cancelled where it awaits") {
  play([] {
    Log log;
    auto task = create_task([&] {
      Generator<int> ticks([&](Yield<int>& yield) {
        try {
          yield(1);
          sleep(1h);
        } catch (const Cancelled& cancelled) {
          log.push_back("in the generator: " + cancelled.message());
          throw;
        }
      });
      try {
        for (int tick : ticks) log.push_back(std::to_string(tick));
      } catch (const Cancelled& cancelled) {
        log.push_back("in the task: " + cancelled.message());
        CHECK(ticks.done());
      }
      sleep(1s);
      return 5;
    });
    sleep(1s);
    task.cancel("enough");
    CHECK(await(task) == 5);
    CHECK(log == Log{"1", "in the generator: enough", "in the task: enough"});
  });
}

TEST_CASE("Generator hands a cancellation that is due from fiber to fiber") {
  play([] {
    auto task = create_task([] {
      Generator<int> numbers([](Yield<int>& yield) {
        current_task().cancel();  // by itself: due at the next await, wherever that is
        yield(1);
        CHECK_THROWS_AS(checkpoint(), Cancelled);
        yield(2);
      });
      CHECK(numbers.next() == 1);
      CHECK_THROWS_AS(checkpoint(), Cancelled);
      current_task().cancel();
      CHECK(numbers.next() == 2);
      checkpoint();
    });
    await(task);
  });
}

TEST_CASE("Generator passes an exception on to who asks for a value") {
  play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      yield(1);
      throw std::range_error("two");
    });
    CHECK(numbers.next() == 1);
    CHECK_THROWS_AS(numbers.next(), std::range_error);
    CHECK(numbers.next() == std::nullopt);
  });
}

TEST_CASE("Generator may yield inside catch, and its caller may ask inside catch") {
  play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      try {
        throw std::range_error("inner");
      } catch (...) {
        yield(1);
        try {
          throw;
        } catch (const std::range_error& error) {
          CHECK(error.what() == std::string("inner"));
        }
      }
      yield(std::uncaught_exceptions());
    });
    try {
      throw std::domain_error("outer");
    } catch (...) {
      CHECK(numbers.next() == 1);
      CHECK(numbers.next() == 0);
      CHECK_THROWS_AS(throw, std::domain_error);
    }
  });
}

TEST_CASE("Generator that is destroyed early ends at once, before the code after the loop") {
  Log log;
  const Log told = play([&] {
    {
      Generator<int> numbers([&](Yield<int>& yield) {
        const Farewell farewell{log, "finally"};
        for (int i = 0;; ++i) yield(i);
      });
      for (int number : numbers) {
        log.push_back(std::to_string(number));
        if (number == 1) break;
      }
    }
    log.push_back("after");
  });
  CHECK(log == Log{"0", "1", "finally", "after"});
  CHECK(told.empty());
}

TEST_CASE("Generator that is destroyed while an exception is on its way ends its function") {
  Log log;
  play([&] {
    try {
      Generator<int> numbers([&](Yield<int>& yield) {
        const Farewell farewell{log, "finally"};
        yield(1);
      });
      numbers.next();
      throw std::range_error("mine");
    } catch (const std::range_error& error) {
      log.push_back(error.what());
    }
  });
  CHECK(log == Log{"finally", "mine"});
}

TEST_CASE("Generator that never began runs nothing when it is destroyed or closed") {
  play([] {
    bool ran = false;
    auto held = std::make_shared<int>(1);
    {
      Generator<int> one([&, held](Yield<int>&) { ran = true; });
      Generator<int> two([&, held](Yield<int>&) { ran = true; });
      CHECK(held.use_count() == 3);
      two.close();
      CHECK(held.use_count() == 2);
      CHECK(two.done());
      CHECK(two.next() == std::nullopt);
    }
    CHECK_FALSE(ran);
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("Generator.close lets the clean-up wait") {
  play([] {
    Log log;
    Generator<int> numbers([&](Yield<int>& yield) {
      try {
        yield(1);
      } catch (const GeneratorExit&) {
        sleep(1s);
        log.push_back("cleaned up");
        throw;
      }
    });
    numbers.next();
    numbers.close();
    CHECK(log == Log{"cleaned up"});
    CHECK(get_running_loop().time().time_since_epoch() == 1s);
    CHECK(numbers.done());
    numbers.close();
  });
}

TEST_CASE("Generator.close throws what the clean-up throws") {
  play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      try {
        yield(1);
      } catch (const GeneratorExit&) {
        throw std::range_error("clean-up");
      }
    });
    numbers.next();
    CHECK_THROWS_AS(numbers.close(), std::range_error);
    CHECK(numbers.done());
  });
}

TEST_CASE("Generator.close of a function that yields again says so") {
  play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      try {
        yield(1);
      } catch (const GeneratorExit&) {
      }
      yield(2);
    });
    numbers.next();
    CHECK_THROWS_WITH(numbers.close(), Catch::Contains("ignored GeneratorExit"));
    CHECK_FALSE(numbers.done());
    numbers.close();
    CHECK(numbers.done());
  });
}

TEST_CASE("Generator that would wait while it is destroyed gets a RuntimeError, and tells it") {
  Log log;
  const Log told = play([&] {
    Generator<int> numbers([&](Yield<int>& yield) {
      try {
        yield(1);
      } catch (const GeneratorExit&) {
        CHECK_FALSE(static_cast<bool>(current_task()));
        try {
          sleep(1s);
        } catch (const RuntimeError& error) {
          log.push_back(error.what());
        }
        checkpoint();
      }
    });
    numbers.next();
  });
  REQUIRE(log.size() == 1);
  CHECK_THAT(log[0], Catch::Contains("call close()"));
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::Contains("in a generator that is being destroyed"));
}

TEST_CASE("Generator that yields again while it is destroyed is told, once, and then ends") {
  const Log told = play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      for (int i = 0; i < 3; ++i) {
        try {
          yield(i);
        } catch (const GeneratorExit&) {
        }
      }
      yield(3);
    });
    numbers.next();
  });
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::Contains("ignored GeneratorExit"));
}

TEST_CASE("Generator can be destroyed by a callback, and where its loop does not run") {
  VirtualClock clock;
  LoopOptions options;
  options.clock = &clock;
  Loop loop(options);
  Log log;
  auto make = [&](std::string name) {
    return std::make_unique<Generator<int>>([&log, name](Yield<int>& yield) {
      const Farewell farewell{log, name};
      run_on_big_stack([] {});
      yield(1);
    });
  };
  auto one = make("callback");
  auto two = make("no loop");
  loop.run_until_complete([&] {
    one->next();
    two->next();
    get_running_loop().call_soon([&] {
      one.reset();
      log.push_back("after");
    });
    checkpoint();
  });
  two.reset();
  log.push_back("after");
  CHECK(log == Log{"callback", "after", "no loop", "after"});
}

TEST_CASE("Generators that are left when the loop ends are closed, after the tasks") {
  Log log;
  Log told;
  {
    std::unique_ptr<Generator<int>> numbers;
    told = play([&] {
      numbers = std::make_unique<Generator<int>>([&](Yield<int>& yield) {
        try {
          yield(1);
        } catch (const GeneratorExit&) {
          sleep(1s);
          log.push_back("generator");
          throw std::range_error("late");
        }
      });
      numbers->next();
      create_task([&] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          log.push_back("task");
          throw;
        }
      }).detach();
      checkpoint();
      log.push_back("main");
    });
    CHECK(numbers->done());
    CHECK(numbers->next() == std::nullopt);
  }
  CHECK(log == Log{"main", "task", "generator"});
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::Contains("late"));
}

TEST_CASE("Generators may ask each other, and one may be filled from another") {
  play([] {
    Generator<int> squares([](Yield<int>& yield) {
      Generator<int> numbers = counter(3);
      for (int number : numbers) {
        sleep(1s);
        yield(number * number);
      }
    });
    std::vector<int> got;
    for (int square : squares) got.push_back(square);
    CHECK(got == std::vector<int>{0, 1, 4, 9});
    CHECK(get_running_loop().time().time_since_epoch() == 4s);
  });
}

TEST_CASE("Generator that is destroyed ends those that it holds") {
  Log log;
  play([&] {
    Generator<int> outer([&](Yield<int>& yield) {
      const Farewell farewell{log, "outer"};
      Generator<int> inner([&](Yield<int>& inner_yield) {
        const Farewell inner_farewell{log, "inner"};
        inner_yield(1);
      });
      inner.next();
      yield(1);
    });
    outer.next();
  });
  CHECK(log == Log{"inner", "outer"});
}

TEST_CASE("Generator that is asked while it runs says so") {
  play([] {
    Generator<int>* self = nullptr;
    Generator<int> inside([&](Yield<int>& yield) {
      CHECK_THROWS_WITH(self->next(), Catch::Contains("runs already"));
      yield(1);
      CHECK_THROWS_AS(self->close(), RuntimeError);
    });
    self = &inside;
    CHECK(inside.next() == 1);
    CHECK(inside.next() == std::nullopt);

    Generator<int> shared([](Yield<int>& yield) {
      sleep(1s);
      yield(1);
    });
    auto first = create_task([&] { return shared.next(); }, {.name = "first"});
    auto second = create_task([&] { return shared.next(); });
    CHECK_THROWS_WITH(await(second), Catch::Contains("for task 'first'"));
    CHECK(await(first) == 1);
  });
}

TEST_CASE("Generator outside a task, and yield outside its generator, say so") {
  Generator<int> numbers = counter(1);
  CHECK_THROWS_WITH(numbers.next(), Catch::Contains("outside a task"));
  CHECK_THROWS_AS(Generator<int>(static_cast<void (*)(Yield<int>&)>(nullptr)), ValueError);
  play([] {
    Yield<int>* kept = nullptr;
    Generator<int> leaky([&](Yield<int>& yield) {
      kept = &yield;
      yield(1);
    });
    leaky.next();
    CHECK_THROWS_WITH((*kept)(2), Catch::Contains("yield outside its generator"));
  });
}

TEST_CASE("Generator can't yield inside a context that it entered") {
  play([] {
    Generator<int> numbers([](Yield<int>& yield) {
      const Context context;
      context.run([&] { CHECK_THROWS_WITH(yield(1), Catch::Contains("Context::run()")); });
      yield(2);
    });
    CHECK(numbers.next() == 2);
  });
}

TEST_CASE(
    "Generators take turns on the stacks that are there, and leave the order of tasks alone") {
  play([] {
    Log log;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b"}) {
      tasks.push_back(create_task([&, name] {
        for (int round = 0; round < 2; ++round) {
          Generator<int> numbers = counter(1);
          for (int number : numbers) log.push_back(name + std::to_string(number));
          checkpoint();
        }
      }));
    }
    const auto ticks = get_running_loop().stats().ticks;
    for (auto& task : tasks) await(task);
    CHECK(log == Log{"a0", "a1", "b0", "b1", "a0", "a1", "b0", "b1"});
    CHECK(get_running_loop().stats().ticks - ticks <= 4);
    for (int i = 0; i < 10000; ++i) {
      Generator<int> numbers = counter(0);
      CHECK(numbers.next() == 0);
      if (i % 2 == 0) CHECK(numbers.next() == std::nullopt);
    }
  });
}

TEST_CASE("Generator that overflows its stack is named after its task") {
  if (sanitized) return;  // they have their own say
  const Ended ended = in_child([] {
    RunOptions options;
    options.name = "hungry";
    run(
        [] {
          Generator<int> deep([](Yield<int>& yield) {
            struct Deep {
              static int down(int depth) {  // NOLINT(misc-no-recursion)
                volatile char room[512];
                room[0] = static_cast<char>(depth);
                return depth == 0 ? 0 : down(depth - 1) + room[0];
              }
            };
            yield(Deep::down(1'000'000));
          });
          deep.next();
        },
        options);
  });
  CHECK(ended.signal != 0);
  CHECK_THAT(ended.output, Catch::Contains("hungry"));
}

TEST_CASE("Generator with a stack of its own size") {
  play([] {
    Generator<int> small([](Yield<int>& yield) { yield(1); }, {.stack_size = 32 * 1024});
    CHECK(small.next() == 1);
    CHECK_THROWS_AS(Generator<int>([](Yield<int>&) {}, {.stack_size = 1}).next(), ValueError);
  });
}
