#include "slab_table.hpp"

#include "stack/guard.hpp"

#include <array>
#include <atomic>
#include <new>

namespace jumpcut::impl {

// An entry changes hands like this: `state` is even while nobody writes, and grows with every
// change, so a reader that finds the same live state before and after has read one slab and not
// parts of two. (Every field is an acquire load: the second look can't be moved before them.)
struct SlabEntry {
  enum : std::uint64_t { free = 0, writing = 1, live = 2, mask = 3, change = 4 };

  std::atomic<std::uint64_t> state{free};
  std::atomic<std::byte*> base{nullptr};
  std::atomic<std::size_t> slots{0};
  std::atomic<std::size_t> stack_size{0};
  std::atomic<std::size_t> first_colour{0};
};

namespace {

// Blocks are never freed: a handler may be reading them.
struct Block {
  std::array<SlabEntry, 64> entries;
  std::atomic<Block*> next{nullptr};
};

constinit Block first_block;

bool read(const SlabEntry& entry, Slab& slab) noexcept {
  constexpr auto acquire = std::memory_order_acquire;
  std::uint64_t before = entry.state.load(acquire);
  if ((before & SlabEntry::mask) != SlabEntry::live) return false;
  slab = {.base = entry.base.load(acquire),
          .slots = entry.slots.load(acquire),
          .stack_size = entry.stack_size.load(acquire),
          .first_colour = entry.first_colour.load(acquire)};
  return entry.state.load(acquire) == before;
}

bool write(SlabEntry& entry, const Slab& slab) noexcept {
  constexpr auto release = std::memory_order_release;
  std::uint64_t state = entry.state.load(std::memory_order_relaxed);
  if ((state & SlabEntry::mask) != SlabEntry::free) return false;
  if (!entry.state.compare_exchange_strong(state, state | SlabEntry::writing)) return false;
  entry.base.store(slab.base, release);
  entry.slots.store(slab.slots, release);
  entry.stack_size.store(slab.stack_size, release);
  entry.first_colour.store(slab.first_colour, release);
  entry.state.store(state + SlabEntry::change + SlabEntry::live, release);
  return true;
}

Block* block_after(Block& block) noexcept {
  if (Block* next = block.next.load(std::memory_order_acquire)) return next;
  Block* fresh = new (std::nothrow) Block;
  Block* other = nullptr;
  if (fresh == nullptr || block.next.compare_exchange_strong(other, fresh)) return fresh;
  delete fresh;
  return other;
}

}  // namespace

std::size_t Slab::stride() const noexcept {
  return guard_size() + stack_size;
}

std::size_t Slab::bytes() const noexcept {
  return slots * stride() + guard_size();
}

lowlevel::Stack Slab::stack(std::size_t slot) const noexcept {
  std::byte* low = guard(slot) + guard_size();
  return {low, low + stack_size - (first_colour + slot) % 32 * 64};
}

SlabEntry* enter_slab(const Slab& slab) noexcept {
  for (Block* block = &first_block; block != nullptr; block = block_after(*block)) {
    for (SlabEntry& entry : block->entries) {
      if (write(entry, slab)) return &entry;
    }
  }
  return nullptr;
}

void remove_slab(SlabEntry* entry) noexcept {
  std::uint64_t state = entry->state.load(std::memory_order_relaxed);
  entry->state.store(state - SlabEntry::live + SlabEntry::change, std::memory_order_release);
}

bool find_stack(const void* address, Place& place) noexcept {
  auto wanted = reinterpret_cast<std::uintptr_t>(address);
  for (Block* block = &first_block; block != nullptr;
       block = block->next.load(std::memory_order_acquire)) {
    for (const SlabEntry& entry : block->entries) {
      Slab slab;
      if (!read(entry, slab)) continue;
      std::uintptr_t offset = wanted - reinterpret_cast<std::uintptr_t>(slab.base);
      std::size_t slot = offset / slab.stride();
      if (slot >= slab.slots) continue;
      place = {.stack = slab.stack(slot),
               .guard = slab.guard(slot),
               .stack_size = slab.stack_size,
               .in_guard = offset % slab.stride() < guard_size()};
      return true;
    }
  }
  return false;
}

}  // namespace jumpcut::impl
