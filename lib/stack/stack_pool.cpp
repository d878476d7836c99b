#include <jumpcut/lowlevel/stack_pool.hpp>

#include <jumpcut/error.hpp>

#include "base/check.hpp"
#include "base/sanitizers.hpp"
#include "stack/guard.hpp"
#include "stack/mappings.hpp"
#include "stack/pages.hpp"
#include "stack/slab_table.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace jumpcut::lowlevel {

using impl::Slab;

namespace {

constexpr std::size_t first_slab_slots = 16;
constexpr std::size_t largest_slab_bytes = std::size_t{8} << 30;

// Below this far from the top it is cheaper to drop pages than to clear them.
constexpr std::size_t clear_by_hand = 64 * 1024;

std::size_t whole_pages(std::size_t bytes) noexcept {
  std::size_t page = impl::page_size();
  return (bytes + page - 1) / page * page;
}

// See guard_size().
std::size_t even_pages(std::size_t bytes) noexcept {
  std::size_t page = impl::page_size();
  return (bytes + 2 * page - 1) / (2 * page) * (2 * page);
}

}  // namespace

struct StackPool::Slow {
  struct Owned {
    Slab slab;
    impl::SlabEntry* entry = nullptr;
    std::size_t used = 0;  // slots that were ever taken
    std::size_t mprotect_guards = 0;
    std::vector<unsigned> tool_ids = {};  // of those slots, see sanitizers::register_stack()
  };

  StackPoolOptions options;
  GuardMode guard = GuardMode::automatic;
  bool careful = false;  // taking and giving back is never just the array
  bool leaked = false;
  std::size_t trimmed = 0;   // the first so many of the idle stacks hold no memory
  std::size_t used = 0;      // stacks that were ever taken
  std::size_t reserved = 0;  // slots in all slabs; idle has room for as many
  std::vector<Owned> slabs;
  std::unique_ptr<std::byte*[]> idle;

  void reserve(std::size_t idle_count);
  void install_guard(Owned& owned, std::byte* guard_low);
  void scrub(const Stack& stack, std::byte* end) const noexcept;
};

StackPool::StackPool(StackPoolOptions options)
    : stack_size_(even_pages(options.stack_size)), slow_(std::make_unique<Slow>()) {
  if (options.stack_size < min_stack_size() || options.stack_size > max_stack_size) {
    throw ValueError("StackPool: a stack_size of " + std::to_string(options.stack_size) +
                     " bytes: at least " + std::to_string(min_stack_size()) + ", at most " +
                     std::to_string(max_stack_size));
  }
  options.keep_idle = std::min(options.keep_idle, std::numeric_limits<std::size_t>::max() / 2);
  GuardMode guard = options.guard == GuardMode::automatic ? impl::best_guard() : options.guard;
  if (!impl::guard_works(guard)) {
    throw ResourceError(
        "StackPool: guards by %s are asked for, but one that was tried stopped nothing here: ask "
        "for "
        "another GuardMode, or for the best one with GuardMode::automatic",
        impl::guard_name(guard));
  }
  impl::announce_guard(options.guard, guard);
  slow_->options = options;
  slow_->guard = guard;
  slow_->careful = options.scrub != Scrub::never || guard == GuardMode::canary ||
                   impl::sanitizers::poisons_stacks();
  set_limits();
}

StackPool::~StackPool() {
  if (slow_->leaked) return;
  Statistics now = statistics();
  if (now.in_use != 0) {
    impl::fail("a StackPool ends while %zu of its stacks are in use: give them back, or leak() it",
               now.in_use);
  }
  for (auto& [slab, entry, used, mprotect_guards, tool_ids] : slow_->slabs) {
    for (std::size_t i = 0; i < used; ++i) {
      impl::sanitizers::forget_stack(slab.stack(i).low, stack_size_,
                                     i < tool_ids.size() ? tool_ids[i] : 0);
    }
    impl::remove_slab(entry);
    munmap(slab.base, slab.bytes());
    impl::release_guard_mappings(mprotect_guards);
  }
}

void StackPool::leak() noexcept {
  slow_->leaked = true;
}

// The inline paths are for when nothing but the array is concerned.
void StackPool::set_limits() noexcept {
  if (slow_->careful) {
    take_slowly_at_ = std::numeric_limits<std::size_t>::max();
    give_slowly_at_ = 0;
  } else {
    take_slowly_at_ = slow_->trimmed;
    give_slowly_at_ = std::min(slow_->trimmed + slow_->options.keep_idle, slow_->used);
  }
}

Stack StackPool::take_slowly() {
  Stack stack;
  if (idle_count_ == 0) {
    stack = take_unused();
  } else {
    stack = stack_below(idle_[--idle_count_]);
    impl::sanitizers::unpoison(stack.low, stack_size_);
    slow_->trimmed = std::min(slow_->trimmed, idle_count_);
  }
  if (slow_->guard == GuardMode::canary) impl::paint_canary(stack.low);
  set_limits();
  return stack;
}

Stack StackPool::take_unused() {
  Slow& slow = *slow_;
  if (slow.used == slow.reserved) {
    slow.reserve(idle_count_);
    idle_ = slow.idle.get();
  }
  Slow::Owned& owned = slow.slabs.back();
  slow.install_guard(owned, owned.slab.guard(owned.used));
  Stack stack = owned.slab.stack(owned.used);
  const unsigned id = impl::sanitizers::register_stack(stack.low, stack_size_);
  if (id != 0) owned.tool_ids.push_back(id);
  ++owned.used;
  ++slow.used;
  return stack;
}

void StackPool::Slow::reserve(std::size_t idle_count) {
  Owned owned;
  owned.slab.stack_size = even_pages(options.stack_size);
  owned.slab.first_colour = used;
  std::size_t most = std::max<std::size_t>(largest_slab_bytes / owned.slab.stride(), 1);
  owned.slab.slots = std::min(std::max(reserved, first_slab_slots), most);
  // A limit may leave room for a few more.
  while ((owned.slab.base = impl::map_stacks(owned.slab.bytes())) == nullptr) {
    if (owned.slab.slots == 1) impl::throw_no_stacks(owned.slab.bytes(), errno);
    owned.slab.slots /= 2;
  }
  try {
    auto room = std::make_unique_for_overwrite<std::byte*[]>(reserved + owned.slab.slots);
    std::copy_n(idle.get(), idle_count, room.get());
    slabs.reserve(slabs.size() + 1);
    install_guard(owned, owned.slab.guard(owned.slab.slots));
    owned.entry = impl::enter_slab(owned.slab);
    if (owned.entry == nullptr) throw std::bad_alloc();
    idle = std::move(room);
  } catch (const ResourceError&) {
    munmap(owned.slab.base, owned.slab.bytes());
    impl::release_guard_mappings(owned.mprotect_guards);
    throw;
  } catch (const std::bad_alloc&) {
    munmap(owned.slab.base, owned.slab.bytes());
    impl::release_guard_mappings(owned.mprotect_guards);
    throw ResourceError("no more stacks: no memory to keep account of %zu more", owned.slab.slots);
  }
  reserved += owned.slab.slots;
  slabs.push_back(std::move(owned));
}

void StackPool::Slow::install_guard(Owned& owned, std::byte* guard_low) {
  int error = 0;
  if (guard == GuardMode::madvise) {
    error = impl::install_guard(guard, guard_low);
    if (error == 0) return;
    // A host that locks its memory (mlockall) gets no guards this way any more.
    if (error != EINVAL || options.guard != GuardMode::automatic) {
      throw ResourceError(
          "no more stacks: MADV_GUARD_INSTALL fails (%s): is the memory locked by "
          "mlockall(MCL_FUTURE)? Ask for GuardMode::automatic or mprotect",
          std::strerror(error));
    }
    guard = GuardMode::mprotect;
  }
  if (guard == GuardMode::mprotect) impl::claim_guard_mappings();
  error = impl::install_guard(guard, guard_low);
  if (guard != GuardMode::mprotect) return;
  if (error != 0) {
    impl::release_guard_mappings(1);
    impl::throw_no_stacks(impl::guard_size(), error);
  }
  ++owned.mprotect_guards;
}

void StackPool::give_back_slowly(Stack stack) noexcept {
  Slow& slow = *slow_;
  JUMPCUT_CHECK(idle_count_ < slow.used, "a StackPool is given back more stacks than were taken");
  if (slow.options.scrub == Scrub::on_release) slow.scrub(stack, end_of(stack.top));
  impl::sanitizers::poison(stack.low, stack_size_);
  idle_[idle_count_++] = stack.top;
  if (idle_count_ - slow.trimmed > slow.options.keep_idle) {
    Stack oldest = stack_below(idle_[slow.trimmed++]);
    impl::drop_pages(oldest.low, oldest.low + stack_size_);
  }
  set_limits();
}

// Nothing is ever stored between a stack's top and the end of its slot.
void StackPool::Slow::scrub(const Stack& stack, std::byte* end) const noexcept {
  impl::sanitizers::unpoison(stack.low, static_cast<std::size_t>(end - stack.low));
  auto lowest = impl::lowest_used_page(stack.low, end);
  std::byte* from = lowest.value_or(stack.low);
  std::byte* cut = end - std::min(whole_pages(clear_by_hand), static_cast<std::size_t>(end - from));
  if (!lowest) cut = end;
  // Locked pages can't be dropped.
  if (cut != from && !impl::drop_pages(from, cut)) cut = from;
  if (cut < stack.top) std::memset(cut, 0, static_cast<std::size_t>(stack.top - cut));
}

GuardMode StackPool::guard_mode() const noexcept {
  return slow_->guard;
}

StackPool::Statistics StackPool::statistics() const noexcept {
  return {.reserved = slow_->reserved,
          .in_use = slow_->used - idle_count_,
          .idle = idle_count_,
          .trimmed = slow_->trimmed};
}

[[gnu::no_sanitize_address]] std::size_t StackPool::high_water(const Stack& stack) const {
  const impl::sanitizers::ReadsDeadFrames reads;
  std::byte* end = end_of(stack.top);
  auto lowest = impl::lowest_used_page(stack.low, end);
  const std::byte* at = lowest ? *lowest : impl::lowest_resident_page(stack.low, end);
  while (at < stack.top && *at == std::byte{0}) ++at;
  return at < stack.top ? static_cast<std::size_t>(stack.top - at) : 0;
}

bool StackPool::canary_intact(const Stack& stack) const noexcept {
  return slow_->guard != GuardMode::canary || impl::canary_untouched(stack.low);
}

std::size_t StackPool::min_stack_size() noexcept {
  static const std::size_t size =
      whole_pages(12 * 1024 + std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 4096));
  return size;
}

}  // namespace jumpcut::lowlevel
