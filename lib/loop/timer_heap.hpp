// The timers of a loop, soonest first; those of one moment in the order in which they were set.
//
// Who waits owns its TimerNode, often on a fiber's stack, so the heap must not look at one that was
// cancelled. Therefore an entry of the heap leads to a slot and the slot to the node:
//
//      siblings_  when, serial, slot     a 4-ary heap: children share a cache line
//      slots_     node                   null: cancelled; the entry is dropped when it comes up
//
// Cancelling is one store into the slot. The entry stays until it is the first or the last of the
// heap, or until more than half of the entries are cancelled: then all of them are swept out.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace jumpcut::impl {

/// Part of whoever waits for a moment; must be cancelled, or due, before it is destroyed.
class TimerNode {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  TimerNode() noexcept = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  bool is_set() const noexcept { return slot != none; }

  std::uint32_t slot = none;  ///< the heap's
};

/// Times are nanoseconds of the loop's clock. One thread's. Keeps its memory for as long as it
/// lives; at most 2^32 - 1 entries.
class TimerHeap {
 public:
  /// Counting the entries begins with `serial`: a test makes it wrap.
  explicit TimerHeap(std::uint32_t serial = 0) noexcept : serial_(serial) {}
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;

  /// The node is not set. Throws std::bad_alloc, and then nothing has changed.
  void add(std::int64_t when, TimerNode& node);

  /// Nothing if the node is not set. The heap does not touch it afterwards.
  void cancel(TimerNode& node) noexcept;

  /// When the first is due; null if there is none. Valid until the next call.
  const std::int64_t* next() noexcept;

  /// Takes out the first if it is due at `now`; null if it is not.
  TimerNode* pop_due(std::int64_t now) noexcept;

  /// Takes out all of them, and calls function(node) on each once it is out, the soonest first. The
  /// function may cancel others.
  template <class Function>
  void clear(Function function) {
    while (TimerNode* node = pop_due(std::numeric_limits<std::int64_t>::max())) function(*node);
  }

  /// Those that are set.
  std::size_t size() const noexcept { return size_ - cancelled_; }
  /// The entries, with those of cancelled timers that were not dropped yet.
  std::size_t capacity_used() const noexcept { return size_; }

 private:
  struct Entry {
    std::int64_t when = 0;
    std::uint32_t serial = 0;
    std::uint32_t slot = 0;

    bool before(const Entry& other) const noexcept {
      // Without a branch, which nobody could predict.
      return (when < other.when) | ((when == other.when) & (serial < other.serial));
    }
  };
  static constexpr std::size_t arity = 4;
  struct alignas(arity * sizeof(Entry)) Siblings {
    Entry entries[arity];
  };
  union Slot {
    TimerNode* node;          ///< null: cancelled
    std::uint32_t next_free;  ///< while no entry leads here
  };

  // The root is alone among its siblings, in the last place; so are all others in groups of four.
  static constexpr std::size_t root = arity - 1;
  static std::size_t parent_of(std::size_t place) noexcept { return place / arity + root - 1; }
  static std::size_t first_child_of(std::size_t place) noexcept {
    return (place - root + 1) * arity;
  }

  Entry& at(std::size_t place) noexcept { return siblings_[place / arity].entries[place % arity]; }
  std::size_t end() const noexcept { return root + size_; }
  bool is_cancelled(const Entry& entry) const noexcept {
    return slots_[entry.slot].node == nullptr;
  }

  std::uint32_t take_slot(TimerNode& node) noexcept;
  void give_back_slot(std::uint32_t slot) noexcept;
  void rise(std::size_t place, Entry entry) noexcept;
  std::size_t soonest_of(std::size_t first) noexcept;
  void sink(std::size_t place, Entry entry) noexcept;
  void remove_root() noexcept;
  void sweep() noexcept;
  void renumber() noexcept;

  std::vector<Siblings> siblings_;
  std::size_t size_ = 0;
  std::size_t cancelled_ = 0;  ///< of these entries
  std::uint32_t serial_;
  std::uint32_t free_slot_ = TimerNode::none;  ///< first of a list
  std::vector<Slot> slots_;
};

}  // namespace jumpcut::impl
