// asm/<architecture>.S: what a switch keeps.

#include "registers.hpp"

#include <catch2/catch.hpp>

TEST_CASE("a switch keeps every register that a call keeps, and the floating-point control words") {
#if defined(__x86_64__)
  constexpr std::uint64_t switches = 10'000'000;
#else
  constexpr std::uint64_t switches = 1'000'000;
#endif
  CHECK(registers::exchange(registers::test_rounds(switches), registers::printed_seed()) == "");
}
