#include "registers.hpp"

#include "context/first_frame.hpp"
#include "seed.hpp"

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>

namespace registers {

namespace {

using jumpcut::impl::Saved;

std::string mismatch(const char* name, std::uint64_t wanted, std::uint64_t found) {
  char text[128];
  std::snprintf(text, sizeof text, "%s was %#llx, is %#llx", name,
                static_cast<unsigned long long>(wanted), static_cast<unsigned long long>(found));
  return text;
}

}  // namespace

std::uint64_t printed_seed() {
  const std::uint64_t seed = test_seed();
  std::printf("JUMPCUT_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

std::uint64_t test_rounds(std::uint64_t usual) {
  const char* given = std::getenv("JUMPCUT_TEST_ROUNDS");
  return given == nullptr ? usual : std::strtoull(given, nullptr, 0);
}

#if defined(__x86_64__)

Registers random_registers(Random& random) {
  Registers r{};
  for (auto& value : r.integer) value = random();
  r.message = reinterpret_cast<void*>(random());
  // Every control bit is drawn, the exception masks too: nothing between the two switches computes,
  // so nothing traps. Half of the draws are the usual words, so that the compare is seen equal in
  // either, in both and in none.
  std::uint64_t bits = random();
  r.mxcsr = (bits & 1) != 0 ? 0x1f80 : static_cast<std::uint32_t>(bits >> 8) & 0xffc0;
  r.x87 = (bits & 2) != 0 ? 0x037f : (static_cast<std::uint32_t>(bits >> 32) & 0x0f3f) | 0x0040;
  if ((r.x87 & 0x0300) == 0x0100) r.x87 |= 0x0200;  // a reserved precision
  return r;
}

std::string first_mismatch(const Registers& wanted, const Registers& found) {
  constexpr const char* names[] = {"rbx", "rbp", "r12", "r13", "r14", "r15"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (wanted.integer[i] != found.integer[i]) {
      return mismatch(names[i], wanted.integer[i], found.integer[i]);
    }
  }
  constexpr std::uint32_t control = 0xffffffc0;
  if ((wanted.mxcsr & control) != (found.mxcsr & control)) {
    return mismatch("mxcsr", wanted.mxcsr, found.mxcsr);
  }
  if (wanted.x87 != found.x87) return mismatch("the x87 control word", wanted.x87, found.x87);
  if (wanted.sp != found.sp) return mismatch("rsp", wanted.sp, found.sp);
  if (found.sp % 16 != 0) return mismatch("the alignment of rsp", 0, found.sp % 16);
  if ((found.flags & 0x400) != 0) return mismatch("the direction flag", 0, 1);
  return "";
}

#else

Registers random_registers(Random& random) {
  Registers r{};
  for (auto& value : r.integer) value = random();
  for (auto& value : r.vector) value = random();
  r.message = reinterpret_cast<void*>(random());
  // AHP, DN, FZ, RMode; half of the draws are the usual word, so that the compare is seen equal.
  std::uint64_t bits = random();
  r.fpcr = (bits & 1) != 0 ? 0 : bits >> 8 & 0x07c00000;
  return r;
}

std::string first_mismatch(const Registers& wanted, const Registers& found) {
  for (std::size_t i = 0; i < std::size(wanted.integer); ++i) {
    if (wanted.integer[i] != found.integer[i]) {
      return mismatch(("x" + std::to_string(19 + i)).c_str(), wanted.integer[i], found.integer[i]);
    }
  }
  for (std::size_t i = 0; i < std::size(wanted.vector); ++i) {
    if (wanted.vector[i] != found.vector[i]) {
      return mismatch(("d" + std::to_string(8 + i)).c_str(), wanted.vector[i], found.vector[i]);
    }
  }
  if (wanted.fpcr != found.fpcr) return mismatch("fpcr", wanted.fpcr, found.fpcr);
  if (wanted.sp != found.sp) return mismatch("sp", wanted.sp, found.sp);
  return "";
}

#endif

namespace {

struct Exchange {
  Saved near{};
  Saved far{};
  std::uint64_t seed = 0;
  void* sent = nullptr;       // the message that is on its way
  std::uintptr_t on_top = 0;  // the frame of what ran on top
  std::string failure;
};

[[gnu::noinline]] void scribble_below(volatile std::uint64_t* words) {
  for (int i = 0; i < 64; ++i) words[i] = ~std::uint64_t{0};
}

// Runs on top of a parked side: overwrites what lies below, and every register it may.
void scribble(void* argument) noexcept {
  auto& e = *static_cast<Exchange*>(argument);
  volatile std::uint64_t words[64];
  scribble_below(words);
  e.on_top = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

// One switch away and back, with the patterns of one side.
void step(Exchange& e, Random& random, Saved& from, Saved& to) {
  Registers in = random_registers(random);
  Registers out{};
  e.sent = in.message;
  registers_switch(&in, &out, &from, &to);
  if (!e.failure.empty()) return;
  e.failure = first_mismatch(in, out);
  if (e.failure.empty() && out.message != e.sent) e.failure = "the message was lost";
}

void run_on_top(Exchange& e, Random& random, Saved& parked) {
  Registers in = random_registers(random);
  Registers out{};
  in.message = &e;
  registers_call(&in, &out, &parked, reinterpret_cast<void*>(&scribble),
                 reinterpret_cast<void*>(&jumpcut::impl::jumpcut_on_top));
  if (!e.failure.empty()) return;
  e.failure = first_mismatch(in, out);
  if (e.on_top % 16 != 0) e.failure = "what runs on top has no aligned stack";
}

void far_side(void* argument, void*) {
  auto& e = *static_cast<Exchange*>(argument);
  Random random(~e.seed);
  for (;;) step(e, random, e.far, e.near);
}

}  // namespace

std::string exchange(std::uint64_t switches, std::uint64_t seed) {
  constexpr std::size_t size = 64 * 1024;
  auto stack = std::make_unique<std::byte[]>(size + 16);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + size);
  auto e = std::make_unique<Exchange>();
  e->seed = seed;
  jumpcut::impl::place_first_frame(e->far, stack.get() + size + (16 - top % 16) % 16, far_side,
                                   e.get());
  Random random(seed);
  for (std::uint64_t i = 0; i < switches && e->failure.empty(); i += 2) {
    step(*e, random, e->near, e->far);
    if (i % 16 == 0) run_on_top(*e, random, e->far);
  }
  return e->failure;
}

}  // namespace registers
