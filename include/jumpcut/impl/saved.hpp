#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut::impl {

/// A parked context, as the assembly reads and writes it; asm/asm.h has the same offsets. While the
/// context runs, the contents are stale.
struct Saved {
  void* sp;               ///< its stack pointer
  void* pc;               ///< where it goes on
  void* fp;               ///< its frame pointer (rbp, x29)
  void* base;             ///< the other register that frames are addressed with (rbx, x19)
  std::uint64_t control;  ///< its floating-point control words
};

static_assert(offsetof(Saved, sp) == 0x00);
static_assert(offsetof(Saved, pc) == 0x08);
static_assert(offsetof(Saved, fp) == 0x10);
static_assert(offsetof(Saved, base) == 0x18);
static_assert(offsetof(Saved, control) == 0x20);

/// What a switch returns, where it has come to.
struct Switched {
  Saved& self;  ///< the record that it parked in, known sooner than what lies on the stack
  void* message;
};

/// What a sanitizer is told of a stack at each switch. Kept in every build, so that the layout of
/// what holds it does not depend on one.
struct ToolStack {
  std::byte* low = nullptr;
  std::size_t size = 0;
  /// ASan: its fake stack while it is parked; TSan: its fiber; Valgrind: its number + 1.
  void* tool = nullptr;
};

// asm/<architecture>.S
extern "C" {
JUMPCUT_API void* jumpcut_switch(Saved* from, Saved* to, void* message) noexcept;
[[noreturn]] void jumpcut_leave(Saved* to, void* message, void (*function)(void*) noexcept,
                                void* argument) noexcept;
void jumpcut_on_top(Saved* parked, void (*function)(void*) noexcept, void* argument) noexcept;
std::uint64_t jumpcut_control() noexcept;
void jumpcut_set_control(const Saved* like) noexcept;
void jumpcut_entry() noexcept;
}

}  // namespace jumpcut::impl
