#include "timer_heap.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace jumpcut::impl {

namespace {

// CPython's asyncio sweeps at the same point: few cancelled entries cost less than looking for
// them.
constexpr std::size_t least_to_sweep = 100;

}  // namespace

void TimerHeap::add(std::int64_t when, TimerNode& node) {
  JUMPCUT_CHECK(!node.is_set(), "a timer is set while it is set");
  if (end() / arity >= siblings_.size()) siblings_.resize(end() / arity + 1);
  if (free_slot_ == TimerNode::none) {
    if (slots_.size() == TimerNode::none) throw std::bad_alloc();
    slots_.push_back({.next_free = TimerNode::none});
    free_slot_ = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  if (serial_ == std::numeric_limits<std::uint32_t>::max()) renumber();
  const Entry entry{when, serial_++, take_slot(node)};
  ++size_;
  rise(end() - 1, entry);
}

void TimerHeap::cancel(TimerNode& node) noexcept {
  if (!node.is_set()) return;
  slots_[node.slot].node = nullptr;
  node.slot = TimerNode::none;
  ++cancelled_;
  // A timeout is most often set last and later than all others, and cancelled soon: it never costs
  // more than this.
  while (size_ != 0 && is_cancelled(at(end() - 1))) {
    give_back_slot(at(end() - 1).slot);
    --size_;
    --cancelled_;
  }
  if (size_ > least_to_sweep && cancelled_ > size_ / 2) sweep();
}

const std::int64_t* TimerHeap::next() noexcept {
  while (size_ != 0) {
    const Entry& first = at(root);
    if (!is_cancelled(first)) return &first.when;
    --cancelled_;
    remove_root();
  }
  return nullptr;
}

TimerNode* TimerHeap::pop_due(std::int64_t now) noexcept {
  const std::int64_t* when = next();
  if (when == nullptr || *when > now) return nullptr;
  TimerNode* node = slots_[at(root).slot].node;
  node->slot = TimerNode::none;
  remove_root();
  return node;
}

std::uint32_t TimerHeap::take_slot(TimerNode& node) noexcept {
  node.slot = free_slot_;
  free_slot_ = slots_[node.slot].next_free;
  slots_[node.slot].node = &node;
  return node.slot;
}

void TimerHeap::give_back_slot(std::uint32_t slot) noexcept {
  slots_[slot].next_free = free_slot_;
  free_slot_ = slot;
}

/// The entry belongs at the place, which is free, or above it.
void TimerHeap::rise(std::size_t place, Entry entry) noexcept {
  while (place != root && entry.before(at(parent_of(place)))) {
    at(place) = at(parent_of(place));
    place = parent_of(place);
  }
  at(place) = entry;
}

/// The soonest of the siblings from `first` on.
[[gnu::always_inline]] inline std::size_t TimerHeap::soonest_of(std::size_t first) noexcept {
  if (first + arity <= end()) {
    const std::size_t left = first + (at(first + 1).before(at(first)) ? 1 : 0);
    const std::size_t right = first + 2 + (at(first + 3).before(at(first + 2)) ? 1 : 0);
    return at(right).before(at(left)) ? right : left;
  }
  std::size_t soonest = first;
  for (std::size_t place = first + 1; place < end(); ++place) {
    if (at(place).before(at(soonest))) soonest = place;
  }
  return soonest;
}

/// The entry belongs at the place, which is free, or below it.
void TimerHeap::sink(std::size_t place, Entry entry) noexcept {
  for (std::size_t first; (first = first_child_of(place)) < end();) {
    // Of a million timers, the next level but one is in no cache.
    const std::size_t grandchildren = first_child_of(first) / arity;
    if (grandchildren + arity <= siblings_.size()) {
      for (std::size_t i = 0; i < arity; ++i) __builtin_prefetch(&siblings_[grandchildren + i]);
    }
    const std::size_t soonest = soonest_of(first);
    if (!at(soonest).before(entry)) break;
    at(place) = at(soonest);
    place = soonest;
  }
  at(place) = entry;
}

void TimerHeap::remove_root() noexcept {
  give_back_slot(at(root).slot);
  --size_;
  if (size_ != 0) sink(root, at(end()));
}

/// Drops all cancelled entries.
void TimerHeap::sweep() noexcept {
  const std::size_t before = end();
  size_ = 0;
  cancelled_ = 0;
  for (std::size_t place = root; place < before; ++place) {
    const Entry entry = at(place);
    constexpr std::size_t ahead = 16;
    if (place + ahead < before) __builtin_prefetch(&slots_[at(place + ahead).slot]);
    if (is_cancelled(entry)) {
      give_back_slot(entry.slot);
    } else {
      at(end()) = entry;
      ++size_;
    }
  }
  if (size_ < 2) return;
  for (std::size_t place = parent_of(end() - 1) + 1; place-- > root;) sink(place, at(place));
}

/// All serials are used up: those that remain get new ones, in the same order. What is sorted is a
/// heap.
void TimerHeap::renumber() noexcept {
  sweep();
  const std::size_t live = size_;
  while (size_ > 1) {
    const Entry first = at(root);
    --size_;
    sink(root, at(end()));
    at(end()) = first;
  }
  size_ = live;
  for (std::size_t i = 0; i < live / 2; ++i) std::swap(at(root + i), at(end() - 1 - i));
  serial_ = 0;
  for (std::size_t place = root; place < end(); ++place) at(place).serial = serial_++;
}

}  // namespace jumpcut::impl
