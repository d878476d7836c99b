// asm/x86_64.*: at every single instruction of a switch, a signal handler's backtrace goes from the
// interrupted instruction to the outermost function of one side, and finds that side's registers.

#include "context/first_frame.hpp"
#include "registers.hpp"
#include "switch_pair.hpp"
#include "unwinding.hpp"

#include <cfenv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <ucontext.h>

#include <catch2/catch.hpp>

namespace {

using jumpcut::impl::Saved;

constexpr std::size_t stack_size = 64 * 1024;
constexpr greg_t trap_flag = 0x100;

struct Stepping {
  volatile bool on = false;
  void* near = nullptr;  // the outermost functions
  void* far = nullptr;
  unsigned steps = 0;
  unsigned inside = 0;  // steps at which the switch itself was interrupted
  void* inside_functions[4] = {};
  unsigned near_seen = 0;
  unsigned far_seen = 0;
  char failure[256] = "";
  const registers::Registers* kept_near = nullptr;  // what registers_call filled in
  const registers::Registers* kept_far = nullptr;
  unsigned kept_seen = 0;
} stepping;

template <class Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

void fail(const char* what, void* pc) {
  if (stepping.failure[0] != '\0') return;
  auto offset = [&](void* function) {
    return static_cast<char*>(pc) - static_cast<char*>(function);
  };
  std::snprintf(stepping.failure, sizeof stepping.failure,
                "%s, at step %u, %p: jumpcut_switch%+td jumpcut_leave%+td jumpcut_on_top%+td", what,
                stepping.steps, pc, offset(address(&jumpcut::impl::jumpcut_switch)),
                offset(address(&jumpcut::impl::jumpcut_leave)),
                offset(address(&jumpcut::impl::jumpcut_on_top)));
}

void on_step(int, void* ucontext) {
  auto* context = static_cast<ucontext_t*>(ucontext);
  if (!stepping.on) {
    context->uc_mcontext.gregs[REG_EFL] &= ~trap_flag;
    return;
  }
  ++stepping.steps;
  void* pc = unwinding::interrupted(ucontext);
  constexpr int numbers[] = {3, 6, 12, 13, 14, 15};  // rbx, rbp, r12-r15 as DWARF counts
  unwinding::Probe kept{address(&registers::registers_call), 6, numbers};
  unwinding::Trace trace = unwinding::trace(&kept);
  int first = 0;
  while (first < trace.depth && trace.frames[first].pc != pc) ++first;
  if (first == trace.depth) return fail("the interrupted instruction is not in the backtrace", pc);
  for (void* function : stepping.inside_functions) {
    if (function != nullptr && trace.frames[first].function == function) ++stepping.inside;
  }
  int near = trace.find(stepping.near, first);
  int far = trace.find(stepping.far, first);
  int entry = trace.find(unwinding::entry_function(), first);
  if (near >= 0) ++stepping.near_seen;
  if (far >= 0) ++stepping.far_seen;
  if (near >= 0 && (far >= 0 || entry >= 0)) return fail("two sides in one backtrace", pc);
  if (near < 0 && far < 0 && entry < 0) return fail("the callers are lost", pc);
  if (near < 0 && entry != trace.depth - 1) return fail("no end at jumpcut_entry", pc);
  if (far >= 0 && entry != far + 1) return fail("frames between entry and its function", pc);
  const auto* wanted = near >= 0 ? stepping.kept_near : stepping.kept_far;
  if (wanted == nullptr || kept.frame <= first) return;
  ++stepping.kept_seen;
  if (std::memcmp(wanted->integer, kept.values, sizeof wanted->integer) != 0) {
    fail("a register of the caller is lost", pc);
  }
}

[[gnu::noinline]] void begin_steps() {
  stepping.on = true;
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"
      "pushfq\n\t"
      "orq $0x100, (%%rsp)\n\t"
      "popfq\n\t"
      "leaq 128(%%rsp), %%rsp"
      :
      :
      : "memory", "cc");
}

[[gnu::noinline]] void end_steps() {
  stepping.on = false;
}

void reset(void* near, void* far) {
  stepping = Stepping{};
  stepping.near = near;
  stepping.far = far;
}

}  // namespace

TEST_CASE("at every instruction of a round trip the backtrace reaches an outermost function") {
  unwinding::Handler handler(SIGTRAP, on_step);
  auto stack = std::make_unique<std::byte[]>(stack_size);
  REQUIRE(!pair::variants().empty());
  for (const pair::Variant& near : pair::variants()) {
    for (const pair::Variant& far : pair::variants()) {
      pair::Sides sides;
      sides.limit = 10;
      sides.begin = begin_steps;
      sides.end = end_steps;
      pair::place(sides, far, stack.get(), stack_size);
      reset(address(near.near), address(far.far));
      stepping.inside_functions[0] = address(near.near_switch);
      stepping.inside_functions[1] = address(far.far_switch);
      stepping.inside_functions[2] = address(&jumpcut::impl::jumpcut_switch);
      near.near(sides);
      INFO(near.name << " against " << far.name << ", " << stepping.steps << " steps");
      CHECK(std::string(stepping.failure) == "");
      CHECK(sides.round_trips == 10);
      CHECK(stepping.inside > 10 * 2 * 15);
      CHECK(stepping.near_seen > 10 * 15);
      CHECK(stepping.far_seen > 10 * 15);
    }
  }
}

namespace {

struct Keeping {
  Saved near{};
  Saved far{};
  registers::Registers near_kept{};
  registers::Registers far_kept{};
  registers::Random random{1};
};

void keep(Keeping& k, registers::Registers& kept, Saved& from, Saved& to) {
  registers::Registers out{};
  kept = registers::random_registers(k.random);
  registers::registers_switch(&kept, &out, &from, &to);
}

void keep_far(void* argument, void*) {
  auto& k = *static_cast<Keeping*>(argument);
  for (;;) keep(k, k.far_kept, k.far, k.near);
}

[[gnu::noinline]] void keep_near(Keeping& k) {
  begin_steps();
  for (int i = 0; i < 10; ++i) keep(k, k.near_kept, k.near, k.far);
  end_steps();
  asm volatile("" : : : "memory");  // no tail call
}

}  // namespace

TEST_CASE("at every instruction of a switch the unwinder finds the registers a caller left") {
  unwinding::Handler handler(SIGTRAP, on_step);
  auto stack = std::make_unique<std::byte[]>(stack_size);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + stack_size);
  Keeping k;
  jumpcut::impl::place_first_frame(k.far, stack.get() + (stack_size - top % 16), keep_far, &k,
                                   jumpcut::impl::jumpcut_control());
  reset(address(&keep_near), address(&keep_far));
  stepping.kept_near = &k.near_kept;
  stepping.kept_far = &k.far_kept;
  keep_near(k);
  CHECK(std::string(stepping.failure) == "");
  CHECK(stepping.kept_seen > 10 * 2 * 30);
}

namespace {

// On top of near, after far was left.
void arrive(void* argument) noexcept {
  ++*static_cast<int*>(argument);
}

struct Leaving {
  pair::Sides sides;
  int rounding = FE_TONEAREST;  // of the side that leaves
  int arrived = 0;
};

void leave(void* argument, void*) {
  auto& l = *static_cast<Leaving*>(argument);
  std::fesetround(l.rounding);
  begin_steps();
  jumpcut::impl::jumpcut_leave(&l.sides.near, nullptr, arrive, &l.arrived);
}

struct OnTop {
  pair::Sides sides;
  int arrived = 0;
};

[[gnu::noinline]] void run_on_top(OnTop& o) {
  begin_steps();
  jumpcut::impl::jumpcut_on_top(&o.sides.far, arrive, &o.arrived);
  end_steps();
  asm volatile("" : : : "memory");  // no tail call
}

}  // namespace

TEST_CASE("at every instruction of leaving a stack the backtrace reaches an outermost function") {
  unwinding::Handler handler(SIGTRAP, on_step);
  auto stack = std::make_unique<std::byte[]>(stack_size);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + stack_size);
  for (const pair::Variant& near : pair::variants()) {
    for (int rounding : {FE_TONEAREST, FE_UPWARD}) {
      Leaving l;
      l.sides.limit = 1;
      l.sides.end = end_steps;
      l.rounding = rounding;
      jumpcut::impl::place_first_frame(l.sides.far, stack.get() + (stack_size - top % 16), leave,
                                       &l, jumpcut::impl::jumpcut_control());
      reset(address(near.near), address(&leave));
      stepping.inside_functions[0] = address(&jumpcut::impl::jumpcut_leave);
      near.near(l.sides);
      INFO(near.name);
      CHECK(std::string(stepping.failure) == "");
      CHECK(std::fegetround() == FE_TONEAREST);
      CHECK(l.arrived == 1);
      CHECK(stepping.inside > 20);
      CHECK(stepping.near_seen > 20);
      CHECK(stepping.far_seen > 0);
    }
  }
}

TEST_CASE("at every instruction of running on top of a parked context a backtrace is whole") {
  unwinding::Handler handler(SIGTRAP, on_step);
  auto stack = std::make_unique<std::byte[]>(stack_size);
  for (const pair::Variant& far : pair::variants()) {
    OnTop o;
    o.sides.limit = 1;
    pair::place(o.sides, far, stack.get(), stack_size);
    far.near(o.sides);
    reset(address(&run_on_top), address(far.far));
    stepping.inside_functions[0] = address(&jumpcut::impl::jumpcut_on_top);
    run_on_top(o);
    INFO(far.name);
    CHECK(std::string(stepping.failure) == "");
    CHECK(o.arrived == 1);
    CHECK(stepping.inside > 15);
    CHECK(stepping.far_seen > 5);
  }
}
