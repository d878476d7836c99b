// asm/<architecture>.hpp: what the compiler keeps alive across an inlined switch survives, however
// the code around it was compiled, and both forms of the switch mix.

#include "switch_live.hpp"
#include "registers.hpp"

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
