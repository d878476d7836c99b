// What the register test fills before a switch and compares after it. registers_<architecture>.S
// knows the layout by its offsets.

#pragma once

#include <jumpcut/impl/saved.hpp>

#include <cstdint>
#include <string>

namespace registers {

#if defined(__x86_64__)

struct Registers {
  std::uint64_t integer[6];  // rbx rbp r12 r13 r14 r15
  std::uint32_t mxcsr;  // control bits; the status bits are compared no more than they are kept
  std::uint32_t x87;    // control word
  std::uint64_t sp;     // written by the assembly, before and after
  void* message;
  std::uint64_t flags;  // DF is bit 10
};
static_assert(offsetof(Registers, mxcsr) == 0x30);
static_assert(offsetof(Registers, sp) == 0x38);
static_assert(offsetof(Registers, flags) == 0x48);

#else

struct Registers {
  std::uint64_t integer[11];  // x19-x29
  std::uint64_t vector[8];    // d8-d15
  std::uint64_t fpcr;
  std::uint64_t sp;
  void* message;
};
static_assert(offsetof(Registers, vector) == 0x58);
static_assert(offsetof(Registers, fpcr) == 0x98);
static_assert(offsetof(Registers, message) == 0xa8);

#endif

extern "C" {
/// Fills every register that a call keeps from `in`, calls function(first, second, in->message)
/// and, when that returns, stores what it finds in `out`, and what it returned as message.
void registers_call(Registers* in, Registers* out, void* first, void* second, void* function);
}

/// By way of jumpcut_switch.
inline void registers_switch(Registers* in, Registers* out, jumpcut::impl::Saved* from,
                             jumpcut::impl::Saved* to) {
  registers_call(in, out, from, to, reinterpret_cast<void*>(&jumpcut::impl::jumpcut_switch));
}

/// xorshift64*: one number replays a failure.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed | 1) {}
  std::uint64_t operator()() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }

 private:
  std::uint64_t state_;
};

/// That of seed.hpp. Prints it.
std::uint64_t printed_seed();

/// JUMPCUT_TEST_ROUNDS, else `usual`.
std::uint64_t test_rounds(std::uint64_t usual);

Registers random_registers(Random& random);

/// "" or "r14 was 1, is 2".
std::string first_mismatch(const Registers& wanted, const Registers& found);

/// Two contexts switch to each other `switches` times by registers_switch, each with patterns of
/// its own. Returns the first mismatch that either saw, or "".
/// Every 16th time a function that scribbles runs on top of the other side, and both must keep
/// their registers through that too.
std::string exchange(std::uint64_t switches, std::uint64_t seed);

}  // namespace registers
