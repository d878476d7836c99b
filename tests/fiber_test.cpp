// jumpcut/lowlevel/fiber.hpp: what belongs to a fiber and to nobody else.

#include <jumpcut/lowlevel/scheduler.hpp>

#include <jumpcut/fiber_local.hpp>
#include <jumpcut/lowlevel/park.hpp>

#include <cerrno>
#include <cfenv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "child.hpp"
#include "no_calls.hpp"

#include <catch2/catch.hpp>

using jumpcut::FiberLocal;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::Fiber;
using jumpcut::lowlevel::park;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::spawn;
using jumpcut::lowlevel::Wait;
using jumpcut::lowlevel::wake;
using jumpcut::lowlevel::yield;

namespace {

std::string message_of_current() {
  try {
    if (std::current_exception() == nullptr) return "none";
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

constexpr std::uint64_t secret = 0x5EC2E75EC2E75EC2;

[[gnu::noinline]] void leave_secret() {
  volatile std::uint64_t kept[512];
  for (auto& word : kept) word = secret;
}

/// In what is left of the stack, whoever wrote it.
__attribute__((noinline, no_sanitize("address"))) std::size_t secrets_below() {
  const auto* here = static_cast<const std::uint64_t*>(__builtin_frame_address(0));
  std::size_t count = 0;
  for (int word = 1; word < 2000; ++word) count += *(here - word) == secret ? 1U : 0U;
  return count;
}

[[gnu::noinline]] void go_deep() {
  volatile char deep[100 * 1000];
  for (volatile char& byte : deep) byte = 1;
}

}  // namespace

TEST_CASE("fibers that park in a handler keep their own current exception") {
  Scheduler scheduler;
  std::vector<std::string> seen;
  for (const char* name : {"a", "b", "c"}) {
    scheduler.spawn([&seen, name] {
      try {
        throw std::runtime_error(name);
      } catch (const std::runtime_error& error) {
        yield();
        seen.push_back(message_of_current());
        yield();
        seen.emplace_back(error.what());
        try {
          yield();
          throw;
        } catch (const std::exception& again) {
          seen.emplace_back(again.what());
        }
      }
      CHECK(std::current_exception() == nullptr);
    });
  }
  scheduler.run();
  CHECK(seen == std::vector<std::string>{"a", "b", "c", "a", "b", "c", "a", "b", "c"});
}

TEST_CASE("handlers may be nested three deep, with a park in each") {
  Scheduler scheduler;
  std::vector<std::string> seen(2);
  for (std::string& log : seen) {
    scheduler.spawn([&log] {
      try {
        throw std::runtime_error("1");
      } catch (...) {
        yield();
        try {
          throw std::runtime_error("2");
        } catch (...) {
          yield();
          try {
            throw std::runtime_error("3");
          } catch (...) {
            yield();
            log += message_of_current();
          }
          yield();
          log += message_of_current();
        }
        yield();
        log += message_of_current();
      }
      log += message_of_current();
    });
  }
  scheduler.run();
  CHECK(seen == std::vector<std::string>{"321none", "321none"});
}

TEST_CASE("a destructor may park while its fiber unwinds, and no other fiber notices") {
  struct Parks {
    std::vector<int>& counts;
    ~Parks() {
      counts.push_back(std::uncaught_exceptions());
      yield();
      counts.push_back(std::uncaught_exceptions());
    }
  };
  Scheduler scheduler;
  std::vector<int> inside;
  std::vector<int> outside;
  scheduler.spawn([&] {
    try {
      Parks parks{inside};
      throw std::runtime_error("x");
    } catch (const std::exception&) {
      inside.push_back(std::uncaught_exceptions());
    }
  });
  scheduler.spawn([&] {
    outside.push_back(std::uncaught_exceptions());
    yield();
    outside.push_back(std::uncaught_exceptions());
  });
  scheduler.call_soon([&] { outside.push_back(std::uncaught_exceptions()); });
  scheduler.run();
  CHECK(inside == std::vector<int>{1, 1, 0});
  CHECK(outside == std::vector<int>{0, 0, 0});
}

TEST_CASE("a fiber begins without exceptions, also when one is in flight where run() is called") {
  Scheduler scheduler;
  std::string inside;
  int count = -1;
  scheduler.spawn([&] {
    inside = message_of_current();
    count = std::uncaught_exceptions();
    yield();
  });
  try {
    throw std::runtime_error("outer");
  } catch (const std::exception&) {
    scheduler.run();
    CHECK(message_of_current() == "outer");
  }
  CHECK(inside == "none");
  CHECK(count == 0);
}

TEST_CASE("one exception may be rethrown by many fibers, a thousand times") {
  Scheduler scheduler;
  const auto stored = std::make_exception_ptr(std::runtime_error("shared"));
  int caught = 0;
  for (int i = 0; i < 4; ++i) {
    scheduler.spawn([&] {
      for (int round = 0; round < 250; ++round) {
        try {
          std::rethrow_exception(stored);
        } catch (const std::exception& error) {
          yield();
          caught += std::string("shared") == error.what() ? 1 : 0;
        }
      }
    });
  }
  scheduler.run();
  CHECK(caught == 1000);
}

TEST_CASE("errno belongs to the fiber, and is 0 when it begins") {
  Scheduler scheduler;
  errno = 77;
  std::vector<int> seen;
  for (int number : {1, 2, 3}) {
    scheduler.spawn([&seen, number] {
      seen.push_back(errno);
      errno = number;
      yield();
      seen.push_back(errno);
    });
  }
  scheduler.run();
  CHECK(seen == std::vector<int>{0, 0, 0, 1, 2, 3});
  CHECK(errno == 77);
}

TEST_CASE("the rounding mode belongs to the fiber, and is the scheduler's when it begins") {
  Scheduler scheduler;
  std::vector<int> seen;
  for (int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    scheduler.spawn([&seen, mode] {
      seen.push_back(std::fegetround());
      std::fesetround(mode);
      yield();
      seen.push_back(std::fegetround());
    });
  }
  scheduler.call_soon([&] { seen.push_back(std::fegetround()); });
  scheduler.run();
  CHECK(seen == std::vector<int>{FE_TONEAREST, FE_TONEAREST, FE_TONEAREST, FE_TONEAREST, FE_UPWARD,
                                 FE_DOWNWARD, FE_TOWARDZERO});
  CHECK(std::fegetround() == FE_TONEAREST);
}

TEST_CASE("a job that follows on the same stack begins afresh") {
  Scheduler scheduler;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) {
    scheduler.spawn([&] {
      seen.push_back(errno);
      seen.push_back(std::fegetround());
      errno = 5;
      std::fesetround(FE_UPWARD);
    });
  }
  scheduler.run();
  scheduler.spawn([&] { seen.push_back(std::fegetround()); });
  scheduler.run();
  CHECK(seen == std::vector<int>{0, FE_TONEAREST, 0, FE_TONEAREST, 0, FE_TONEAREST, FE_TONEAREST});
}

TEST_CASE("a job that asked for no traps leaves no division behind that traps the next") {
  feenableexcept(FE_DIVBYZERO);  // so the scheduler's fibers begin with it
  Scheduler scheduler;
  volatile long double zero = 0;
  volatile long double result = 0;
  scheduler.spawn([&] {
    fedisableexcept(FE_DIVBYZERO);
    result = 1 / zero;
  });
  scheduler.spawn([&] { result = zero + 1; });
  scheduler.run();
  fedisableexcept(FE_DIVBYZERO);
  CHECK(result == 1.0L);
}

TEST_CASE("each fiber has its own fiber-local values, destroyed when it ends, the newest first") {
  static std::string log;
  log.clear();
  struct Named {
    std::string name = "?";
    ~Named() {
      yield();  // still on its fiber
      log += name + "~ ";
    }
  };
  static FiberLocal<Named> first;
  static FiberLocal<Named> second;
  static FiberLocal<int> number;
  Scheduler scheduler;
  for (int i : {1, 2}) {
    scheduler.spawn([i] {
      CHECK(*number == 0);
      *number = i;
      first->name = "first" + std::to_string(i);
      second->name = "second" + std::to_string(i);
      yield();
      CHECK(*number == i);
      log += std::to_string(*number) + " ";
    });
  }
  scheduler.call_soon([] { CHECK(number.get() == 0); });
  scheduler.run();
  CHECK(log == "1 2 second1~ second2~ first1~ first2~ ");
}

TEST_CASE("a parked fiber can be looked at from its own stack") {
  struct Look {
    const std::byte* place = nullptr;
  } look;
  Scheduler scheduler;
  Wait wait;
  Fiber* parked = nullptr;
  scheduler.spawn([&] {
    parked = current_fiber();
    park(wait);
  });
  scheduler.spawn([&] {
    parked->run_on_top(
        [](void* argument) noexcept {
          std::byte here{};
          static_cast<Look*>(argument)->place = static_cast<std::byte*>(__builtin_frame_address(0));
          (void)here;
        },
        &look);
    wake(wait);
  });
  scheduler.run();
  // The stack's memory is still mapped; only its address matters here.
  CHECK(look.place != nullptr);
}

TEST_CASE("the high-water mark tells how deep a fiber's stack was used") {
  Scheduler scheduler;
  std::size_t before = 0;
  std::size_t after = 0;
  scheduler.spawn([&] {
    before = current_fiber()->high_water();
    go_deep();
    after = current_fiber()->high_water();
  });
  scheduler.run();
  CHECK(before < 32 * 1024);
  CHECK(after >= 100 * 1000);
  CHECK(after < 128 * 1024);
}

TEST_CASE("with scrubbed stacks no fiber sees what another left, in 10,000 reuses") {
  Scheduler scheduler({.stacks = {.scrub = jumpcut::lowlevel::Scrub::on_release}});
  std::size_t visible = 0;
  for (int i = 0; i < 10'000; ++i) {
    scheduler.spawn([] { leave_secret(); });
    scheduler.spawn([&] { visible += secrets_below(); });
    if (i % 100 == 99) scheduler.run();
  }
  CHECK(visible == 0);
}

TEST_CASE("an exception that nothing catches ends the program, with the fiber's name") {
  const Ended ended = in_child([] {
    Scheduler scheduler;
    scheduler.spawn([] { throw std::runtime_error("no such row"); }, {.name = "query"});
    scheduler.run();
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output,
             Catch::Contains("fiber 'query' ended with an exception that nothing caught: "
                             "no such row"));
}

TEST_CASE("a scheduler that ends before its fibers names them, and leaves them alone") {
  const Ended ended = in_child([] {
    static bool destroyed = false;
    struct Local {
      ~Local() { destroyed = true; }
    };
    static Wait wait;
    {
      Scheduler scheduler;
      scheduler.spawn(
          [] {
            Local local;
            park(wait);
          },
          {.name = "stubborn"});
      expect(scheduler.run() == 1, "one fiber is left");
    }
    expect(!destroyed, "nothing is unwound by force");
  });
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("1 fiber is parked for ever: 'stubborn'"));
}

TEST_CASE("beginning and ending fibers on a warm pool calls no system") {
  if (sanitized) return;
  const Ended ended = in_child([] {
    Scheduler scheduler;
    const auto round = [&scheduler] {
      for (int i = 0; i < 100; ++i) {
        scheduler.spawn([] { yield(); });  // needs a stack of its own
        scheduler.spawn([] {});            // ends at once
      }
      scheduler.run();
    };
    round();
    round();
    if (!forbid_system_calls()) _exit(skipped);
    for (int i = 0; i < 100; ++i) round();
    syscall(SYS_exit_group, 0);
  });
  CHECK(ended.signal == 0);
  CHECK((ended.exit_code == 0 || ended.exit_code == skipped));
}
