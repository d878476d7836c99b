// asm/<architecture>.hpp: what the compiler keeps alive across an inlined switch survives, however
// the code around it was compiled, and both forms of the switch mix.

#include "switch_live.hpp"
#include "registers.hpp"

#include "context/first_frame.hpp"

#include <cstddef>
#include <memory>

#include <catch2/catch.hpp>

TEST_CASE("values that live across a switch survive, in every mixture of forms and options") {
  using live::Form;
  std::uint64_t seed = registers::printed_seed();
#if defined(__x86_64__)
  std::uint64_t rounds = registers::test_rounds(2'000);
#else
  std::uint64_t rounds = registers::test_rounds(100);  // emulated
#endif
  REQUIRE(!live::variants().empty());
  for (const live::Variant& near : live::variants()) {
    for (const live::Variant& far : live::variants()) {
      if (!near.supported() || !far.supported()) continue;
      for (Form near_form : {Form::called, Form::inlined}) {
        for (Form far_form : {Form::called, Form::inlined}) {
          INFO(near.name << " against " << far.name << ", inlined: " << int(near_form) << ' '
                         << int(far_form));
          CHECK(live::play(near, near_form, far, far_form, rounds, seed) == "");
        }
      }
    }
  }
}

namespace {

using jumpcut::impl::Saved;

bool aligned = true;

[[gnu::noinline]] void scribble(void*) noexcept {
  aligned = aligned && reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) % 16 == 0;
  volatile unsigned char bytes[256];
  for (auto& byte : bytes) byte = 0xff;
}

struct Visit {
  Saved near{};
  Saved far{};
  std::uint64_t (*red_zone)(Saved&, Saved&, std::uint64_t) = nullptr;
  std::uint64_t lost_far = 0;
};

void park_then_leave(void* argument, void*) {
  auto& v = *static_cast<Visit*>(argument);
  v.lost_far = v.red_zone(v.far, v.near, 0x1234567);
  jumpcut::impl::jumpcut_leave(&v.near, nullptr, scribble, nullptr);
}

}  // namespace

TEST_CASE("what runs on top of a parked context leaves its red zone alone") {
  constexpr std::size_t size = 64 * 1024;
  auto stack = std::make_unique<std::byte[]>(size);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + size);
  for (const live::Variant& variant : live::variants()) {
    if (!variant.supported()) continue;
    INFO(variant.name);
    Visit v;
    v.red_zone = variant.red_zone;
    jumpcut::impl::place_first_frame(v.far, stack.get() + (size - top % 16), park_then_leave, &v);
    jumpcut::impl::jumpcut_switch(&v.near, &v.far, nullptr);
    jumpcut::impl::jumpcut_on_top(&v.far, scribble, nullptr);
    CHECK(v.red_zone(v.near, v.far, 0x7654321) == 0);  // far leaves, on top of us
    CHECK(v.lost_far == 0);
  }
  CHECK(aligned);
}

#if defined(__x86_64__)

namespace {

struct Words {
  std::uint32_t mxcsr = 0;
  std::uint16_t x87 = 0;
};

Words control_words() {
  Words words;
  asm volatile("stmxcsr %0; fnstcw %1" : "=m"(words.mxcsr), "=m"(words.x87));
  words.mxcsr &= ~0x3fU;
  return words;
}

void load_control_words(Words words) {
  asm volatile("ldmxcsr %0; fldcw %1" : : "m"(words.mxcsr), "m"(words.x87));
}

struct Departure {
  Saved near{};
  Saved far{};
  Words words;
};

void nothing(void*) noexcept {}

void leave_with_words(void* argument, void*) {
  auto& d = *static_cast<Departure*>(argument);
  load_control_words(d.words);
  jumpcut::impl::jumpcut_leave(&d.near, nullptr, nothing, nullptr);
}

// What lies below the stack pointer looks like the usual control words, for a switch that would
// compare with what it forgot to store.
[[gnu::noinline]] void pretend_below(Words words) {
  alignas(16) volatile std::uint32_t below[128];
  for (int i = 0; i < 128; i += 2) {
    below[i] = words.mxcsr;
    below[i + 1] = words.x87;
  }
  asm volatile("" : : "m"(below));
}

}  // namespace

TEST_CASE("leaving a stack brings back the control words of the place it goes on at") {
  constexpr std::size_t size = 64 * 1024;
  auto stack = std::make_unique<std::byte[]>(size);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + size);
  Words usual = control_words();
  for (Words other : {Words{usual.mxcsr ^ 0x2000, usual.x87},
                      Words{usual.mxcsr, static_cast<std::uint16_t>(usual.x87 ^ 0x0400)}}) {
    Departure d;
    d.words = other;
    jumpcut::impl::place_first_frame(d.far, stack.get() + (size - top % 16), leave_with_words, &d);
    pretend_below(usual);
    jumpcut::impl::jumpcut_switch(&d.near, &d.far, nullptr);
    Words found = control_words();
    load_control_words(usual);
    CHECK(found.mxcsr == usual.mxcsr);
    CHECK(found.x87 == usual.x87);
  }
}

#endif
