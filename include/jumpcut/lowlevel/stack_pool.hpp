#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace jumpcut::lowlevel {

/// What give_back() does with what the last owner left on the stack.
enum class Scrub {
  never,       ///< nothing: the next owner could read it
  on_release,  ///< every byte that was used reads as zero afterwards; a few microseconds
};

/// What stops code that uses up its stack.
enum class GuardMode {
  automatic,  ///< the first of those below that a probe proves to work in this process
  madvise,    ///< MADV_GUARD_INSTALL (Linux 6.13): a fault, and no mapping is split
  mprotect,   ///< PROT_NONE: a fault, at the price of two mappings a stack
  canary,     ///< a pattern below the stack, to be looked at: canary_intact()
};

struct StackPoolOptions {
  /// Bytes a stack can use, its guard not counted; rounded up to an even number of pages. Memory is
  /// committed page by page as it is touched, so this is address space, not memory.
  std::size_t stack_size = 256 * 1024;

  /// How many idle stacks keep their memory; that of the longest idle ones above it goes back to
  /// the system. A stack keeps 4 to 16 KiB as a rule, so the default holds on to 16 to 64 MiB after
  /// a burst, and a program that never has more than that many stacks idle never pays for trimming:
  /// some 3 microseconds for each stack above it that is given back and taken again.
  std::size_t keep_idle = 4096;

  Scrub scrub = Scrub::never;
  GuardMode guard = GuardMode::automatic;
};

/// The memory of one stack: [low, top) is usable, and grows from `top` down.
struct Stack {
  std::byte* low = nullptr;
  std::byte* top = nullptr;  ///< a multiple of 64
};

/// Stacks of one size, for contexts or fibers: last given back, first taken. The memory is reserved
/// in large slabs, a guard of 64 KiB and a page lies below each stack, and the tops lie at
/// different offsets in their pages (within 2 KiB), or else all stacks would compete for the same
/// few cache lines.
///
/// A pool belongs to one thread at a time. At its end every stack must have been given back, or
/// leak() called: otherwise the program aborts and says so.
class JUMPCUT_API StackPool {
 public:
  struct Statistics {
    std::size_t reserved = 0;  ///< stacks there is address space for
    std::size_t in_use = 0;    ///< taken and not given back
    std::size_t idle = 0;      ///< given back
    std::size_t trimmed = 0;   ///< those of the idle ones that hold no memory
  };

  /// Reserves nothing yet. Throws ValueError for a stack size outside [min_stack_size(),
  /// max_stack_size], and ResourceError for a guard that does not work here.
  explicit StackPool(StackPoolOptions options = {});

  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// Unmaps every stack.
  ~StackPool();

  /// A stack for the caller's use until it is given back. What it holds is unspecified, unless the
  /// pool scrubs: then all zero. Throws ResourceError, which names the limit that was hit
  /// (vm.max_map_count, RLIMIT_AS, ...); then the pool is as before, and the limit is not used up
  /// to the last byte: malloc still works.
  Stack take() {
    if (idle_count_ <= take_slowly_at_) [[unlikely]]
      return take_slowly();
    return stack_below(idle_[--idle_count_]);
  }

  /// Takes a stack of this pool back. Nothing may run on it any more, nor look at it.
  void give_back(Stack stack) noexcept {
    if (idle_count_ >= give_slowly_at_) [[unlikely]]
      return give_back_slowly(stack);
    idle_[idle_count_++] = stack.top;
  }

  /// From now on the destructor leaves all mappings in place, with the stacks that are still out:
  /// for when their owners refuse to end.
  void leak() noexcept;

  /// Bytes from a stack's low end up to where its slot ends: the size asked for, rounded up.
  /// A stack's own [low, top) is up to 1,984 bytes less.
  std::size_t stack_size() const noexcept { return stack_size_; }

  /// The guard that newly reserved stacks get. Never `automatic`.
  GuardMode guard_mode() const noexcept;

  Statistics statistics() const noexcept;

  /// How many bytes below its top the stack was ever used, by all its owners since it was last
  /// trimmed or scrubbed. Looks at its pages: some microseconds.
  std::size_t high_water(const Stack& stack) const;

  /// Where canaries are the guard: whether this stack's is untouched. True with a real guard.
  bool canary_intact(const Stack& stack) const noexcept;

  /// The smallest stack size: a signal handler's frame, which this machine may make larger than
  /// others, and 12 KiB, which a throw and a printf fit in.
  static std::size_t min_stack_size() noexcept;

  /// The largest stack size: 1 GiB.
  static constexpr std::size_t max_stack_size = std::size_t{1} << 30;

 private:
  struct Slow;

  static std::byte* end_of(std::byte* top) noexcept;
  Stack stack_below(std::byte* top) const noexcept { return {end_of(top) - stack_size_, top}; }
  Stack take_slowly();
  Stack take_unused();
  void give_back_slowly(Stack stack) noexcept;
  void set_limits() noexcept;

  std::byte** idle_ = nullptr;  // tops, room for every reserved stack; the first ones are trimmed
  std::size_t idle_count_ = 0;
  std::size_t take_slowly_at_ = 0;  // this many idle stacks, or fewer: more is to be done
  std::size_t give_slowly_at_ = 0;  // this many idle stacks, or more: the same
  std::size_t stack_size_;
  std::unique_ptr<Slow> slow_;
};

/// Where the slot of a stack ends: tops lie less than 2 KiB below it.
inline std::byte* StackPool::end_of(std::byte* top) noexcept {
  return top + (-reinterpret_cast<std::uintptr_t>(top) & 2047);
}

}  // namespace jumpcut::lowlevel
