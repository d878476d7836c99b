#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstdint>

namespace jumpcut::lowlevel {
class Fiber;
}  // namespace jumpcut::lowlevel

namespace jumpcut::impl {

class Job;
class Callback;
struct SchedulerList;

/// What may be ready: a fiber that goes on, a job that begins, a callback for the hub. One word,
/// with the kind in its low bits.
class Entry {
 public:
  /// Nothing yet: a ring's new slots are not touched.
  Entry() noexcept = default;
  explicit Entry(lowlevel::Fiber& fiber) noexcept
      : bits_(reinterpret_cast<std::uintptr_t>(&fiber)) {}
  explicit Entry(Job& job) noexcept : bits_(reinterpret_cast<std::uintptr_t>(&job) | 1) {}
  explicit Entry(Callback& callback) noexcept
      : bits_(reinterpret_cast<std::uintptr_t>(&callback) | 2) {}

  bool is_fiber() const noexcept { return (bits_ & 3) == 0; }
  bool is_job() const noexcept { return (bits_ & 1) != 0; }
  lowlevel::Fiber& fiber() const noexcept { return *reinterpret_cast<lowlevel::Fiber*>(bits_); }
  Job& job() const noexcept { return *reinterpret_cast<Job*>(bits_ - 1); }
  Callback& callback() const noexcept { return *reinterpret_cast<Callback*>(bits_ - 2); }
  /// For prefetching, whatever it is and whether it still is.
  std::uintptr_t address() const noexcept { return bits_; }

 private:
  std::uintptr_t bits_;
};

/// The ready queue: a ring of entries, first in, first out. Whoever makes a thing that may become
/// ready reserves its place first, so pushing never fails and never allocates.
struct JUMPCUT_API ReadyQueue {
  std::uint64_t head = 0;  ///< counts pops; never wraps
  std::uint64_t tail = 0;  ///< counts pushes
  Entry* slots = nullptr;
  std::uint64_t mask = 0;      ///< the capacity, a power of two, less one
  std::uint64_t reserved = 0;  ///< places promised

  ReadyQueue() noexcept = default;
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;
  ~ReadyQueue();

  bool empty() const noexcept { return head == tail; }
  std::uint64_t size() const noexcept { return tail - head; }
  Entry front() const noexcept { return slots[head & mask]; }
  void pop() noexcept { ++head; }
  void push(Entry entry) noexcept { slots[tail++ & mask] = entry; }

  /// Promises a place for one more entry, unless the ring must grow for it. give_up() takes the
  /// promise back.
  bool try_reserve() noexcept {
    if (reserved >= mask) [[unlikely]]
      return false;
    ++reserved;
    return true;
  }
  /// The same, and grows; throws std::bad_alloc.
  void reserve() {
    if (reserved >= mask) grow();
    ++reserved;
  }
  void give_up() noexcept { --reserved; }

 private:
  void grow();
};

}  // namespace jumpcut::impl
