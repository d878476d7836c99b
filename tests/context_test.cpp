// jumpcut/lowlevel/context.hpp: stopping in one place and going on in another.

#include <jumpcut/lowlevel/context.hpp>

#include <jumpcut/error.hpp>

#include <array>
#include <cfenv>
#include <cstdint>
#include <memory>
#include <span>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::Context;

namespace {

struct Echo {
  Context main;
  Context* self = nullptr;
};

void echo(void* argument, void* message) {
  auto& e = *static_cast<Echo*>(argument);
  for (;;) message = e.self->switch_to(e.main, static_cast<char*>(message) + 1);
}

}  // namespace

TEST_CASE("a message travels with each switch") {
  auto stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  Echo e;
  Context context(*stack, echo, &e);
  e.self = &context;
  char text[] = "abc";
  CHECK(e.main.switch_to(context, text) == text + 1);
  CHECK(e.main.switch_to(context, text + 1) == text + 2);
}

TEST_CASE("a stack that is too small and a missing function are refused by name") {
  std::array<std::byte, 64> small{};
  CHECK_THROWS_WITH(Context(small, echo, nullptr), Catch::Contains("stack of 64 bytes"));
  CHECK_THROWS_AS(Context(small, nullptr, nullptr), jumpcut::ValueError);
}

namespace {

struct Aligned {
  Context main;
  Context* self = nullptr;
  std::uintptr_t frame = 0;
};

void note_alignment(void* argument, void*) {
  auto& a = *static_cast<Aligned*>(argument);
  a.frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  a.self->switch_to(a.main);
}

}  // namespace

TEST_CASE("an entry function finds the stack aligned as after any call, whatever the span") {
  auto stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  for (std::size_t cut = 0; cut < 32; ++cut) {
    Aligned a;
    std::span<std::byte> all(*stack);
    Context context(all.first(all.size() - cut), note_alignment, &a);
    a.self = &context;
    a.main.switch_to(context);
    CHECK(a.frame % 16 == 0);
  }
}

namespace {

struct Trapping {
  Context main;
  Context* self = nullptr;
  volatile long double zero = 0;
  volatile long double result = 0;
};

void compute_with_traps(void* argument, void*) {
  auto& t = *static_cast<Trapping*>(argument);
  feenableexcept(FE_DIVBYZERO);
  t.self->switch_to(t.main);
  t.result = t.zero + 1;
  t.self->switch_to(t.main);
}

}  // namespace

TEST_CASE("a context that traps on division by zero is not trapped for another's division") {
  auto stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  Trapping t;
  Context context(*stack, compute_with_traps, &t);
  t.self = &context;
  t.main.switch_to(context);
  t.result = 1 / t.zero;
  t.main.switch_to(context);
  CHECK(t.result == 1.0L);
}

TEST_CASE("nor for that of one that left for good") {
  auto stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  auto other_stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  Trapping t;
  Context context(*stack, compute_with_traps, &t);
  t.self = &context;
  t.main.switch_to(context);
  Context* self = nullptr;
  auto divide_and_leave = [&] {
    t.result = 1 / t.zero;
    self->leave_to(
        context, nullptr, [](void*) noexcept {}, nullptr);
  };
  Context leaving(
      *other_stack,
      [](void* argument, void*) { (*static_cast<decltype(divide_and_leave)*>(argument))(); },
      &divide_and_leave);
  self = &leaving;
  t.main.switch_to(leaving);
  CHECK(t.result == 1.0L);
}

namespace {

struct Departure {
  std::unique_ptr<std::array<std::byte, 64 * 1024>> stack;
  Context main;
  Context* self = nullptr;
};

void free_stack(void* argument) noexcept {
  static_cast<Departure*>(argument)->stack.reset();
}

void depart(void* argument, void* message) {
  auto& d = *static_cast<Departure*>(argument);
  d.self->leave_to(d.main, static_cast<char*>(message) + 1, free_stack, argument);
}

void count(void* argument) noexcept {
  ++*static_cast<int*>(argument);
}

}  // namespace

TEST_CASE("a context is left for good, and its stack freed on top of the one that goes on") {
  for (int i = 0; i < 3; ++i) {
    Departure d;
    d.stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
    Context context(*d.stack, depart, &d);
    d.self = &context;
    char text[] = "abc";
    CHECK(d.main.switch_to(context, text) == text + 1);
    CHECK(d.stack == nullptr);
  }
}

TEST_CASE("a function runs on top of a parked context, which then goes on as if nothing had been") {
  auto stack = std::make_unique<std::array<std::byte, 64 * 1024>>();
  Echo e;
  Context context(*stack, echo, &e);
  e.self = &context;
  char text[] = "abc";
  int runs = 0;
  context.run_on_top(count, &runs);  // before its first instruction
  CHECK(e.main.switch_to(context, text) == text + 1);
  context.run_on_top(count, &runs);
  CHECK(runs == 2);
  CHECK(e.main.switch_to(context, text + 1) == text + 2);
}
