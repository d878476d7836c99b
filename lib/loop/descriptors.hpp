// What a loop is told of descriptors, and whom it tells: callbacks, and tasks that wait.

#pragma once

#include <jumpcut/impl/loop_handle.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "loop/poller.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace jumpcut::impl {

/// A task's wait for a descriptor, on its stack.
class DescriptorWait {
 public:
  /// `ready`: for which of PollEvent's bits; with 0 for nothing but that somebody else ends it.
  DescriptorWait(TaskBase& task, const char* what, std::uint32_t ready) noexcept
      : waiting_(task.space(), what), ready_(ready) {}
  DescriptorWait(const DescriptorWait&) = delete;
  DescriptorWait& operator=(const DescriptorWait&) = delete;

  Waiting& waiting() noexcept { return waiting_; }
  /// It ended since the descriptor was closed.
  bool was_closed() const noexcept { return closed_; }

 private:
  friend class Descriptors;

  Waiting waiting_;
  DescriptorWait* next_ = nullptr;
  DescriptorWait* previous_ = nullptr;
  const std::uint32_t ready_;
  bool listed_ = false;
  bool closed_ = false;
};

/// One loop's. Each descriptor is registered with the poller once, for all who wait. Outlives the
/// loop as long as a socket refers to it; close() is then the last thing that the loop did to it.
///
/// A descriptor that one of our own objects owns stays registered until that is closed, and the
/// poller tells of each change, so that a wait costs no system call. Of all others it tells as long
/// as they are ready and somebody waits, since nobody says when they are closed.
class Descriptors {
 public:
  /// Sets the bit of core.attention when the poller must be asked each turn.
  Descriptors(Core& core, Poller& poller, std::uint32_t attention) noexcept
      : core_(core), poller_(poller), attention_(attention) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() = default;

  // Callbacks, which are called as long as the descriptor is ready.

  Ref<LoopHandle> watch(int fd, bool writing, Ref<LoopHandle> handle);
  bool unwatch(int fd, bool writing);

  // Tasks.

  /// Returns once the descriptor is ready, which another task may have changed again, or is
  /// closed. Throws Cancelled, and what the poller throws.
  void wait(int fd, DescriptorWait& one);
  /// The descriptor has an owner from now on. Returns the number by which that is known. Throws
  /// RuntimeError if callbacks watch it.
  std::uint32_t own(int fd);
  bool is_owned(int fd) const noexcept;
  bool is_owned_by(int fd, std::uint32_t owner) const noexcept {
    const Watched* watched = find(fd);
    return watched != nullptr && watched->owned && watched->generation == owner;
  }
  /// The owner is about to close it. Nothing happens if it owns it no more.
  void disown(int fd, std::uint32_t owner) noexcept;
  /// Somebody is about to close it: ends all waits, and removes callbacks.
  void closing(int fd) noexcept;
  /// A call on the descriptor, of a stream, read less than it had room for. Until the poller tells
  /// of more, there is nothing: who reads need not ask, but can wait() at once.
  void note_drained(int fd, std::uint32_t owner) noexcept {
    Watched* watched = find(fd);
    // Not where the end came together with what was read: nobody tells of that again.
    if (watched != nullptr && watched->generation == owner && watched->interest != 0) {
      watched->drained = !watched->ended;
    }
  }
  bool is_drained(int fd, std::uint32_t owner) const noexcept {
    const Watched* watched = find(fd);
    return watched != nullptr && watched->generation == owner && watched->drained;
  }
  /// The running fiber is about to make a call that may find all it needs, and so never park. True
  /// if it has made its share of them in this tick: then it must let others have a turn.
  bool is_share_used() noexcept {
    if (share_tick_ != core_.ticks || share_fiber_ != core_.running) {
      share_tick_ = core_.ticks;
      share_fiber_ = core_.running;
      share_left_ = share;
    }
    if (share_left_ == 0) return true;
    --share_left_;
    return false;
  }

  // The loop.

  void take(const PollEvent& event);
  /// Asks for what take() will touch.
  void prefetch(const PollEvent& event) const noexcept {
    const auto place = static_cast<std::size_t>(event.tag & 0xffffffffu);
    if (place < watched_.size()) __builtin_prefetch(&watched_[place]);
  }
  /// Asks for what the task that waits will touch when it goes on: its frames around the wait.
  void prefetch_waiter(const PollEvent& event) const noexcept {
    const Watched* watched = find(static_cast<int>(event.tag & 0xffffffffu));
    if (watched == nullptr || watched->first == nullptr) return;
    constexpr std::ptrdiff_t line = 64;
    constexpr std::ptrdiff_t below = 4 * line;
    constexpr std::ptrdiff_t above = 8 * line;
    const auto* wait = reinterpret_cast<const char*>(watched->first);
    for (std::ptrdiff_t at = -below; at < above; at += line) __builtin_prefetch(wait + at);
  }
  /// The loop ends: nobody is told of anything any more.
  void close() noexcept;
  bool is_closed() const noexcept { return closed_; }
  /// Callbacks and tasks that are to be told.
  bool is_awaited() const noexcept { return awaited_ != 0; }
  /// Descriptors that are watched or owned.
  std::size_t size() const noexcept { return size_; }
  bool on_its_thread() const noexcept { return core_.on_its_thread(); }

 private:
  struct Watched {
    std::uint32_t generation = 0;  ///< in the tags of its events; 0: nobody is concerned with it
    std::uint32_t interest = 0;    ///< what the poller was told last
    bool owned = false;
    bool drained = false;
    bool ended = false;
    Ref<LoopHandle> reader;
    Ref<LoopHandle> writer;
    DescriptorWait* first = nullptr;  ///< in the order in which they came
    DescriptorWait* last = nullptr;
  };

  /// Small enough that timers are not late by what can be noticed, large enough that the turn costs
  /// nothing beside so many system calls.
  static constexpr std::uint32_t share = 64;

  static std::uint32_t wanted(const Watched& watched) noexcept;
  static std::uint64_t tag(int fd, const Watched& watched) noexcept;
  const Watched* find(int fd) const noexcept {
    const auto place = static_cast<std::size_t>(fd);  // of no number too large
    if (place >= watched_.size() || watched_[place].generation == 0) return nullptr;
    return &watched_[place];
  }
  Watched* find(int fd) noexcept { return const_cast<Watched*>(std::as_const(*this).find(fd)); }
  Watched& take_place(int fd);
  void leave_place(Watched& watched) noexcept;
  void renew(Watched& watched) noexcept;
  bool tell_poller(int fd, Watched& watched);
  /// The poller tells whoever waits for that anyway.
  static bool is_told(const Watched& watched, const DescriptorWait& one) noexcept {
    return watched.owned && (one.ready_ & ~watched.interest) == 0 && watched.interest != 0;
  }
  void tell_callback(int fd, bool writing);
  void append(Watched& watched, DescriptorWait& one) noexcept;
  void remove(Watched& watched, DescriptorWait& one) noexcept;
  void add(int fd, DescriptorWait& one);
  void withdraw(int fd, DescriptorWait& one) noexcept;
  void end_waits(Watched& watched) noexcept;
  void abandon(int fd, Watched& watched) noexcept;
  void count_one() noexcept;

  Core& core_;
  Poller& poller_;
  const std::uint32_t attention_;
  std::vector<Watched> watched_;  // by descriptor
  std::uint32_t generations_ = 0;
  std::size_t awaited_ = 0;
  std::size_t size_ = 0;
  std::uint64_t share_tick_ = 0;
  const lowlevel::Fiber* share_fiber_ = nullptr;
  std::uint32_t share_left_ = 0;
  bool closed_ = false;
};

}  // namespace jumpcut::impl
