// lib/fiber/frames.hpp: what is seen of a fiber's stack, and what of it is shown.

#include "fiber/frames.hpp"

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>
#include <jumpcut/run_on_big_stack.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::impl::frames_of;
using jumpcut::impl::shown_frames;
using jumpcut::impl::switch_inlined;
using jumpcut::impl::Symbols;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::Fiber;
using jumpcut::lowlevel::park_by;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;

namespace {

#define NO_TAIL_CALL asm volatile("" : : : "memory")

/// The functions that are shown, without what they are called with.
std::vector<std::string> functions(Fiber& fiber) {
  Symbols symbols;
  std::vector<std::string> names;
  for (const auto& symbol : shown_frames(frames_of(fiber), symbols)) {
    std::string name = symbol.function;
    constexpr char place[] = "(anonymous namespace)::";
    if (auto at = name.find(place); at != name.npos) name.erase(0, at + sizeof place - 1);
    names.push_back(name.substr(0, name.find_first_of("(<")));
  }
  return names;
}

[[gnu::always_inline]] inline jumpcut::impl::Switched switch_called(jumpcut::impl::Saved& from,
                                                                    jumpcut::impl::Saved& to,
                                                                    void* message) noexcept {
  return {from, jumpcut::impl::jumpcut_switch(&from, &to, message)};
}

template <auto form>
[[gnu::noinline]] void inner(Wait& wait) {
  park_by<form>(wait);
  NO_TAIL_CALL;
}

template <auto form>
[[gnu::noinline]] void outer(Wait& wait) {
  inner<form>(wait);
  NO_TAIL_CALL;
}

using Names = std::vector<std::string>;
const Names inner_and_outer = {"inner", "outer"};

}  // namespace

TEMPLATE_TEST_CASE_SIG("a parked fiber shows its calls, and nothing of the runtime", "",
                       ((bool called), called), false, true) {
  Scheduler scheduler;
  Wait wait;
  Fiber* fiber = nullptr;
  scheduler.spawn([&] {
    fiber = current_fiber();
    outer<called ? switch_called : switch_inlined>(wait);
    NO_TAIL_CALL;
  });
  scheduler.run();
  Names names = functions(*fiber);
  REQUIRE(names.size() == 3);  // the last is the lambda
  names.pop_back();
  CHECK(names == inner_and_outer);

  wake(wait);
  REQUIRE(fiber->state() == Fiber::State::ready);
  names = functions(*fiber);
  CHECK(Names(names.begin(), names.begin() + 2) == inner_and_outer);
  CHECK(scheduler.run() == 0);
}

namespace {

[[gnu::noinline]] Names look_at_oneself() {
  Names names = functions(*current_fiber());
  NO_TAIL_CALL;
  return names;
}

}  // namespace

TEST_CASE("the running fiber shows its calls") {
  Scheduler scheduler;
  Names names;
  scheduler.spawn([&] { names = look_at_oneself(); });
  scheduler.run();
  REQUIRE(names.size() >= 2);
  CHECK(names[0] == "functions");
  CHECK(names[1] == "look_at_oneself");
}

TEST_CASE("a fiber that waits for a call on the thread's stack shows where it made it") {
  Scheduler scheduler;
  Names names;
  scheduler.spawn([&] {
    Fiber& fiber = *current_fiber();
    jumpcut::run_on_big_stack([&] { names = functions(fiber); });
    NO_TAIL_CALL;
  });
  scheduler.run();
  CHECK_FALSE(names.empty());
}

namespace {

// NOLINTNEXTLINE(misc-no-recursion)
[[gnu::noinline]] void go_down(int levels, Wait& wait) {
  if (levels == 0) {
    park_by<switch_inlined>(wait);
  } else {
    go_down(levels - 1, wait);
  }
  NO_TAIL_CALL;
}

}  // namespace

TEST_CASE("all calls are seen, however many") {
  Scheduler scheduler;
  Wait wait;
  Fiber* fiber = nullptr;
  scheduler.spawn([&] {
    fiber = current_fiber();
    go_down(300, wait);
    NO_TAIL_CALL;
  });
  scheduler.run();
  const Names names = functions(*fiber);
  CHECK(std::count(names.begin(), names.end(), "go_down") == 301);
  wake(wait);
  CHECK(scheduler.run() == 0);
}

namespace {

/// Parks with as little left of the stack as asked for.
[[gnu::noinline]] void use_up(std::ptrdiff_t left, Wait& wait) {
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
  const std::ptrdiff_t room = here - current_fiber()->stack().low;
  if (room > left) {
    auto* used =
        static_cast<volatile char*>(__builtin_alloca(static_cast<std::size_t>(room - left)));
    used[0] = 1;
    inner<switch_inlined>(wait);
    used[0] = 2;
  }
}

}  // namespace

TEST_CASE("a fiber without room for a look shows nothing, and is not harmed") {
  Scheduler scheduler;
  Wait wait;
  Fiber* fiber = nullptr;
  scheduler.spawn([&] {
    fiber = current_fiber();
    use_up(7000, wait);
  });
  scheduler.run();
  CHECK(frames_of(*fiber).empty());
  wake(wait);
  CHECK(scheduler.run() == 0);
}

TEST_CASE("what calls a function object is not shown") {
  Scheduler scheduler;
  Wait wait;
  Fiber* fiber = nullptr;
  scheduler.spawn([&] {
    fiber = current_fiber();
    jumpcut::lowlevel::park(wait);
    NO_TAIL_CALL;
  });
  Wait other;
  Fiber* second = nullptr;
  scheduler.spawn(std::function<void()>([&] {
    second = current_fiber();
    outer<switch_inlined>(other);
    NO_TAIL_CALL;
  }));
  scheduler.run();
  CHECK(functions(*fiber).size() == 1);
  CHECK(functions(*second).size() == 3);
  wake(wait);
  wake(other);
  CHECK(scheduler.run() == 0);
}

TEST_CASE("a line of text for each call, with where it is") {
  Scheduler scheduler;
  Wait wait;
  Fiber* fiber = nullptr;
  scheduler.spawn([&] {
    fiber = current_fiber();
    outer<switch_inlined>(wait);
    NO_TAIL_CALL;
  });
  scheduler.run();
  Symbols symbols;
  const std::string text = jumpcut::impl::frames_text(frames_of(*fiber), symbols);
  CHECK_THAT(text, Catch::StartsWith("    void (anonymous namespace)::inner<"));
  CHECK_THAT(text, Catch::Contains("frames_test+0x"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  wake(wait);
  CHECK(scheduler.run() == 0);
}
