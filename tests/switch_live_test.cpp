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
  std::uint64_t seed = registers::test_seed();
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

[[gnu::noinline]] void scribble(void*) noexcept {
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
}
