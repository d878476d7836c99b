// jumpcut/lowlevel/stack_pool.hpp: memory for stacks, taken, given back, guarded, trimmed,
// scrubbed. What the system's limits do to it is in stack_limits_test.cpp.

#include <jumpcut/lowlevel/stack_pool.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/context.hpp>

#include "child.hpp"
#include "no_calls.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include <sys/mman.h>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::Context, jumpcut::lowlevel::GuardMode, jumpcut::lowlevel::Scrub,
    jumpcut::lowlevel::Stack, jumpcut::lowlevel::StackPool, jumpcut::lowlevel::StackPoolOptions;

extern "C" int __asan_address_is_poisoned(const volatile void*) __attribute__((weak));

namespace {

const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

std::vector<Stack> take(StackPool& pool, std::size_t count) {
  std::vector<Stack> stacks(count);
  for (Stack& stack : stacks) stack = pool.take();
  return stacks;
}

void give_back(StackPool& pool, const std::vector<Stack>& stacks) {
  for (const Stack& stack : stacks) pool.give_back(stack);
}

/// Uses a stack as code would that goes `depth` bytes deep.
void use(const Stack& stack, std::size_t depth, int with = 0x5A) {
  std::memset(stack.top - depth, with, depth);
}

std::size_t resident_pages(const Stack& stack, std::size_t size) {
  std::vector<unsigned char> pages(size / page);
  REQUIRE(mincore(stack.low, size, pages.data()) == 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

}  // namespace

TEST_CASE("the stack that was given back last is taken first") {
  StackPool pool;
  Stack a = pool.take();
  Stack b = pool.take();
  pool.give_back(a);
  pool.give_back(b);
  Stack c = pool.take();
  CHECK(c.low == b.low);
  CHECK(c.top == b.top);
  Stack d = pool.take();
  CHECK(d.low == a.low);
  CHECK(d.top == a.top);
  pool.give_back(c);
  pool.give_back(d);
}

TEST_CASE("stacks do not overlap and have the size that was asked for") {
  std::size_t size = GENERATE(StackPool::min_stack_size(), 100'001, 256 * 1024, 4 * 1024 * 1024);
  StackPool pool({.stack_size = size});
  CHECK(pool.stack_size() >= size);
  CHECK(pool.stack_size() < size + 2 * page);
  auto stacks = take(pool, 200);
  std::sort(stacks.begin(), stacks.end(), [](auto& a, auto& b) { return a.low < b.low; });
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    auto usable = static_cast<std::size_t>(stacks[i].top - stacks[i].low);
    REQUIRE(usable <= pool.stack_size());
    REQUIRE(usable > pool.stack_size() - 2048);
    if (i > 0) REQUIRE(stacks[i].low - stacks[i - 1].top >= 64 * 1024);
  }
  give_back(pool, stacks);
}

TEST_CASE("stack tops are spread over 32 places of their pages") {
  StackPool pool;
  auto stacks = take(pool, 320);
  std::vector<int> counts(32);
  for (const Stack& stack : stacks) {
    auto below_end = static_cast<std::size_t>(stack.low + pool.stack_size() - stack.top);
    REQUIRE(below_end % 64 == 0);
    REQUIRE(below_end / 64 < 32);
    ++counts[below_end / 64];
  }
  CHECK(counts == std::vector<int>(32, 10));
  give_back(pool, stacks);
}

TEST_CASE("a stack size outside the bounds is refused with the value and the bounds") {
  using Catch::Contains;
  auto minimum = std::to_string(StackPool::min_stack_size());
  CHECK_THROWS_WITH(StackPool({.stack_size = 100}),
                    Contains("stack_size of 100") && Contains("at least " + minimum));
  CHECK_THROWS_AS(StackPool({.stack_size = 0}), jumpcut::ValueError);
  CHECK_THROWS_WITH(StackPool({.stack_size = std::size_t(-1)}),
                    Contains("18446744073709551615") && Contains("at most 1073741824"));
  CHECK_THROWS_AS(StackPool({.stack_size = StackPool::min_stack_size() - 1}), jumpcut::ValueError);
  CHECK_THROWS_AS(StackPool({.stack_size = StackPool::max_stack_size + 1}), jumpcut::ValueError);
}

TEST_CASE("the largest stack can be had, and used at both ends") {
  StackPool pool({.stack_size = StackPool::max_stack_size});
  Stack stack = pool.take();
  use(stack, 1);
  *stack.low = std::byte{1};
  CHECK(pool.high_water(stack) == static_cast<std::size_t>(stack.top - stack.low));
  pool.give_back(stack);
}

TEST_CASE("a guard that was asked for is the one that is active, or is refused by name") {
  GuardMode mode = GENERATE(GuardMode::madvise, GuardMode::mprotect, GuardMode::canary);
  try {
    StackPool pool({.guard = mode});
    CHECK(pool.guard_mode() == mode);
  } catch (const jumpcut::ResourceError& error) {
    CHECK_THAT(error.what(), Catch::Contains("madvise") || Catch::Contains("mprotect"));
    CHECK(mode != StackPool().guard_mode());
  }
  CHECK(StackPool().guard_mode() != GuardMode::automatic);
}

TEST_CASE("every byte of a guard stops whoever touches it") {
  GuardMode mode = GENERATE(GuardMode::automatic, GuardMode::mprotect);
  std::ptrdiff_t below = GENERATE(1, 4096, 60 * 1024, 64 * 1024);
  if (StackPool({.guard = mode}).guard_mode() == GuardMode::canary) return;
  for (std::size_t nth : {1U, 2U, 16U, 17U}) {
    Ended ended = in_child([&] {
      StackPool pool({.guard = mode});
      Stack stack = take(pool, nth).back();
      use(stack, 1);
      *stack.low = std::byte{1};
      stack.low[-below] = std::byte{1};
    });
    CHECK((ended.signal == SIGSEGV || (sanitized && ended.exit_code != 0)));
  }
}

TEST_CASE("what lies above the last stack of a slab is a guard too") {
  if (StackPool().guard_mode() == GuardMode::canary) return;
  Ended ended = in_child([] {
    StackPool pool;
    auto stacks = take(pool, 16);
    auto last = std::max_element(stacks.begin(), stacks.end(),
                                 [](auto& a, auto& b) { return a.low < b.low; });
    last->low[pool.stack_size()] = std::byte{1};
  });
  CHECK((ended.signal == SIGSEGV || (sanitized && ended.exit_code != 0)));
}

TEST_CASE("a canary tells of an overflow, and the next owner finds it whole") {
  StackPool pool({.guard = GuardMode::canary});
  Stack above = pool.take();
  Stack stack = pool.take();
  use(stack, static_cast<std::size_t>(stack.top - stack.low));
  CHECK(pool.canary_intact(stack));
  for (std::ptrdiff_t below : {1, 17, 64}) {
    stack.low[-below] ^= std::byte{1};
    CHECK_FALSE(pool.canary_intact(stack));
    stack.low[-below] ^= std::byte{1};
    CHECK(pool.canary_intact(stack));
  }
  stack.low[-8] = std::byte{0};
  CHECK(pool.canary_intact(above));
  pool.give_back(stack);
  stack = pool.take();
  CHECK(pool.canary_intact(stack));
  pool.give_back(stack);
  pool.give_back(above);
}

TEST_CASE("above keep_idle the longest idle stacks lose their memory") {
  StackPool pool({.keep_idle = 10});
  auto stacks = take(pool, 50);
  for (const Stack& stack : stacks) use(stack, 4 * page);
  give_back(pool, stacks);
  CHECK(pool.statistics().idle == 50);
  CHECK(pool.statistics().trimmed == 40);
  std::vector<std::size_t> resident;
  for (const Stack& stack : stacks) resident.push_back(resident_pages(stack, pool.stack_size()));
  CHECK(std::count(resident.begin(), resident.begin() + 40, 0U) == 40);
  CHECK(std::all_of(resident.begin() + 40, resident.end(), [](auto n) { return n >= 4; }));

  // Taken in the order of LIFO, across the boundary and back.
  for (std::size_t i = 50; i-- > 20;) CHECK(pool.take().low == stacks[i].low);
  CHECK(pool.statistics().trimmed == 20);
  CHECK(pool.statistics().in_use == 30);
  for (std::size_t i = 20; i < 50; ++i) pool.give_back(stacks[i]);
  CHECK(pool.statistics().trimmed == 40);
}

TEST_CASE("a pool that keeps no idle memory hands stacks out again all the same") {
  StackPool pool({.keep_idle = 0});
  for (int i = 0; i < 3; ++i) {
    auto stacks = take(pool, 20);
    for (const Stack& stack : stacks) use(stack, 100);
    give_back(pool, stacks);
    CHECK(pool.statistics().trimmed == 20);
    CHECK(pool.statistics().idle == 20);
  }
}

TEST_CASE("statistics tell where every stack is") {
  StackPool pool;
  CHECK(pool.statistics().reserved == 0);
  auto stacks = take(pool, 5);
  CHECK(pool.statistics().in_use == 5);
  CHECK(pool.statistics().reserved == 16);
  pool.give_back(stacks[0]);
  CHECK(pool.statistics().in_use == 4);
  CHECK(pool.statistics().idle == 1);
  stacks.erase(stacks.begin());
  give_back(pool, stacks);
  CHECK(pool.statistics().in_use == 0);
}

TEST_CASE("of 10,000 stacks that are reused, a scrubbing pool shows no secret") {
  GuardMode mode = GENERATE(GuardMode::automatic, GuardMode::canary);
  StackPool pool({.scrub = Scrub::on_release, .guard = mode});
  std::mt19937 random(1);
  std::size_t seen = 0;
  for (int i = 0; i < 10'000; ++i) {
    Stack stack = pool.take();
    auto usable = static_cast<std::size_t>(stack.top - stack.low);
    std::size_t deepest = i % 50 == 0 ? usable : i % 4 == 0 ? 90 * 1024 : 8 * 1024;
    std::size_t depth = std::uniform_int_distribution<std::size_t>(1, deepest)(random);
    std::byte* lowest = i % 50 == 1 ? stack.low : stack.top - 92 * 1024;
    for (const std::byte* at = stack.top - 64; at > lowest; at -= 64) seen += *at != std::byte{0};
    for (std::size_t below = 64; below <= depth; below += 64)
      *(stack.top - below) = std::byte{0x53};
    pool.give_back(stack);
  }
  CHECK(seen == 0);
}

TEST_CASE("a scrubbing pool scrubs in a forked child as well") {
  StackPool pool({.scrub = Scrub::on_release});
  Stack stack = pool.take();
  use(stack, 100);
  pool.give_back(stack);  // whatever it keeps of the process is of this one now
  stack = pool.take();
  Ended ended = in_child([&] {
    use(stack, 40 * 1024);
    pool.give_back(stack);
    stack = pool.take();
    expect(std::all_of(stack.low, stack.top, [](std::byte b) { return b == std::byte{0}; }),
           "all zero");
  });
  CHECK(ended.exit_code == 0);
  pool.give_back(stack);
}

TEST_CASE("the high-water mark is the deepest byte that was used") {
  StackPool pool;
  Stack stack = pool.take();
  CHECK(pool.high_water(stack) == 0);
  for (std::size_t depth : {1U, 100U, 5000U, 70'000U, 200'000U}) {
    use(stack, depth);
    CHECK(pool.high_water(stack) == depth);
    use(stack, depth / 2);
    CHECK(pool.high_water(stack) == depth);
  }
  stack.top[-250'000] = std::byte{1};  // a large frame, hardly touched
  CHECK(pool.high_water(stack) == 250'000);
  pool.give_back(stack);
}

TEST_CASE("a warm pool makes no system call") {
  if (sanitized) return;
  Ended ended = in_child([] {
    StackPool pool;
    give_back(pool, take(pool, 1000));
    std::vector<Stack> stacks(1000);
    if (!forbid_system_calls()) _exit(skipped);
    for (int round = 0; round < 100; ++round) {
      for (Stack& stack : stacks) stack = pool.take();
      give_back(pool, stacks);
    }
    syscall(SYS_exit_group, 0);
  });
  CHECK((ended.exit_code == 0 || ended.exit_code == skipped));
}

TEST_CASE("a pool that ends before its stacks says so, unless it leaks them") {
  Ended ended = in_child([] {
    StackPool pool;
    take(pool, 3);
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("3 of its stacks are in use"));
  Stack stack;
  {
    StackPool pool;
    stack = pool.take();
    use(stack, 10);
    pool.leak();
  }
  CHECK(stack.top[-10] == std::byte{0x5A});
}

TEST_CASE("a stack that is given back twice is noticed when all others are idle") {
  Ended ended = in_child([] {
    StackPool pool;
    Stack stack = pool.take();
    pool.give_back(stack);
    pool.give_back(stack);
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("more stacks than were taken"));
}

TEST_CASE("the guard in use is announced once, in debug mode only") {
  for (const char* debug : {"1", "0"}) {
    Ended ended = in_child([&] {
      setenv("JUMPCUT_DEBUG", debug, 1);
      StackPool one;
      StackPool two({.guard = GuardMode::canary});
    });
    auto lines = std::count(ended.output.begin(), ended.output.end(), '\n');
    CHECK(lines == (*debug == '1' ? 1 : 0));
    CHECK((ended.output.find("stacks are guarded by") != std::string::npos) == (*debug == '1'));
  }
}

TEST_CASE("an idle stack is poisoned for the address sanitizer, a taken one is not") {
  if (__asan_address_is_poisoned == nullptr) return;
  StackPool pool;
  Stack stack = pool.take();
  CHECK(__asan_address_is_poisoned(stack.top - 1) == 0);
  pool.give_back(stack);
  CHECK(__asan_address_is_poisoned(stack.top - 1) != 0);
  CHECK(__asan_address_is_poisoned(stack.low) != 0);
  stack = pool.take();
  CHECK(__asan_address_is_poisoned(stack.top - 1) == 0);
  pool.give_back(stack);
}

TEST_CASE("a context runs on a pooled stack, and another one after it") {
  StackPool pool;
  struct Run {
    Context main, *self = nullptr;
    int rounds = 0;
  } run;
  for (int i = 0; i < 100; ++i) {
    Stack stack = pool.take();
    Context context(
        {stack.low, stack.top},
        [](void* argument, void*) {
          auto& r = *static_cast<Run*>(argument);
          char text[64];
          std::snprintf(text, sizeof text, "%d %f", r.rounds, 0.5);
          r.rounds += text[0] != 0;
          r.self->leave_to(
              r.main, nullptr, [](void*) noexcept {}, nullptr);
        },
        &run);
    run.self = &context;
    run.main.switch_to(context);
    pool.give_back(stack);
  }
  CHECK(run.rounds == 100);
  CHECK(pool.statistics().idle == 1);
}
