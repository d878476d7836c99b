// Which memory of this process is stacks: for the one who holds an address and knows nothing else,
// the fault handler.

#pragma once

#include <jumpcut/lowlevel/stack_pool.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut::impl {

struct SlabEntry;

/// A run of slots in one mapping: guard and stack, guard and stack, ..., and one guard above.
struct Slab {
  std::byte* base = nullptr;
  std::size_t slots = 0;
  std::size_t stack_size = 0;
  std::size_t first_colour = 0;  // of slot 0

  std::size_t stride() const noexcept;
  std::size_t bytes() const noexcept;
  std::byte* guard(std::size_t slot) const noexcept { return base + slot * stride(); }
  lowlevel::Stack stack(std::size_t slot) const noexcept;
};

/// What an address is to the stacks.
struct Place {
  lowlevel::Stack stack;
  std::byte* guard = nullptr;  // [guard, stack.low)
  std::size_t stack_size = 0;
  bool in_guard = false;
};

/// Enters a slab. Null if there is no memory for it.
SlabEntry* enter_slab(const Slab& slab) noexcept;

/// Takes it out again, before it is unmapped.
void remove_slab(SlabEntry* entry) noexcept;

/// Finds the stack that `address` is on, or whose guard it hits. Takes no lock and may be called in
/// a signal handler; a slab that is entered or removed at the same moment is found or is not.
bool find_stack(const void* address, Place& place) noexcept;

}  // namespace jumpcut::impl
