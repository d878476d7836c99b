// What a loop is told of descriptors, and whom it tells: callbacks, and tasks that wait.

#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/loop_handle.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "loop/poller.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace jumpcut::impl {

/// A task's wait for a descriptor, on its stack.
class DescriptorWait {
 public:
  /// `ready`: for which of PollEvent's bits; with 0 for nothing but that somebody else ends it.
  DescriptorWait(TaskSpace& space, const char* what, std::uint32_t ready) noexcept
      : waiting_(space, what), ready_(ready) {}
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

/// What is known of a descriptor, in one cache line.
struct alignas(cache_line) Watched {
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

/// By descriptor. They stay where they are as long as the table lives.
class WatchedTable {
 public:
  /// Null if there was none of about that number.
  Watched* at(int fd) const noexcept {
    const auto place = static_cast<std::size_t>(fd);  // of no number too large
    const std::size_t part = place / size_of_part;
    if (part >= parts_.size() || parts_[part] == nullptr) return nullptr;
    return &(*parts_[part])[place % size_of_part];
  }
  Watched& make(int fd) {
    const std::size_t part = static_cast<std::size_t>(fd) / size_of_part;
    if (part >= parts_.size()) parts_.resize(part + 1);
    if (parts_[part] == nullptr) parts_[part] = std::make_unique<Part>();
    return *at(fd);
  }
  template <class Visit>
  void visit(Visit visit) noexcept {
    for (const auto& part : parts_) {
      if (part == nullptr) continue;
      for (Watched& watched : *part) visit(watched);
    }
  }

 private:
  static constexpr std::size_t size_of_part = 64;
  using Part = std::array<Watched, size_of_part>;

  std::vector<std::unique_ptr<Part>> parts_;
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
  /// The same for the owner, who keeps what own() returned.
  [[gnu::always_inline]] void wait_owned(int fd, Watched& watched, DescriptorWait& one) {
    struct Listed {
      Descriptors& all;
      Watched& watched;
      DescriptorWait& one;
      ~Listed() {
        if (one.listed_) all.remove(watched, one);
      }
    };
    if (is_told(watched, one)) [[likely]] {
      append(watched, one);
    } else {
      add(fd, one);
    }
    const Listed listed{*this, watched, one};
    TaskBase::wait_until_done(one.waiting_, one.waiting_.what());
    one.waiting_.get();
  }
  /// The descriptor has an owner from now on, for as long as the generation is what it is then.
  /// Throws RuntimeError if callbacks watch it.
  Watched& own(int fd);
  bool is_owned(int fd) const noexcept;
  /// The owner is about to close it. Nothing happens if it owns it no more.
  void disown(int fd, std::uint32_t owner) noexcept;
  /// Somebody is about to close it: ends all waits, and removes callbacks.
  void closing(int fd) noexcept;
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
  /// The loop ends: nobody is told of anything any more.
  void close() noexcept;
  bool is_closed() const noexcept { return closed_; }
  /// Callbacks and tasks that are to be told.
  bool is_awaited() const noexcept { return awaited_ != 0; }
  /// Descriptors that are watched or owned.
  std::size_t size() const noexcept { return size_; }
  bool on_its_thread() const noexcept { return core_.on_its_thread(); }

 private:
  /// Small enough that timers are not late by what can be noticed, large enough that the turn costs
  /// nothing beside so many system calls.
  static constexpr std::uint32_t share = 64;

  static std::uint32_t wanted(const Watched& watched) noexcept;
  static std::uint64_t tag(int fd, const Watched& watched) noexcept;
  static int fd_of(const PollEvent& event) noexcept {
    return static_cast<int>(event.tag & 0xffffffffu);
  }
  Watched* find(int fd) const noexcept {
    Watched* watched = watched_.at(fd);
    return watched != nullptr && watched->generation != 0 ? watched : nullptr;
  }
  Watched& take_place(int fd);
  void leave_place(Watched& watched) noexcept;
  void renew(Watched& watched) noexcept;
  bool tell_poller(int fd, Watched& watched);
  /// The poller tells whoever waits for that anyway.
  static bool is_told(const Watched& watched, const DescriptorWait& one) noexcept {
    return watched.owned && (one.ready_ & ~watched.interest) == 0 && watched.interest != 0;
  }
  void take_in_turn(const PollEvent& event);
  void tell_callback(int fd, bool writing);
  void append(Watched& watched, DescriptorWait& one) noexcept {
    one.previous_ = watched.last;
    (watched.last != nullptr ? watched.last->next_ : watched.first) = &one;
    watched.last = &one;
    one.listed_ = true;
    count_one();
  }
  void remove(Watched& watched, DescriptorWait& one) noexcept {
    (one.previous_ != nullptr ? one.previous_->next_ : watched.first) = one.next_;
    (one.next_ != nullptr ? one.next_->previous_ : watched.last) = one.previous_;
    one.next_ = one.previous_ = nullptr;
    one.listed_ = false;
    --awaited_;
  }
  void add(int fd, DescriptorWait& one);
  void withdraw(int fd, DescriptorWait& one) noexcept;
  void end_waits(Watched& watched) noexcept;
  void abandon(int fd, Watched& watched) noexcept;
  void count_one() noexcept {
    ++awaited_;
    if ((core_.attention.load(std::memory_order_relaxed) & attention_) == 0) {
      core_.attention.fetch_or(attention_, std::memory_order_relaxed);
    }
  }

  Core& core_;
  Poller& poller_;
  const std::uint32_t attention_;
  WatchedTable watched_;
  std::uint32_t generations_ = 0;
  std::size_t awaited_ = 0;
  std::size_t size_ = 0;
  std::uint64_t share_tick_ = 0;
  const lowlevel::Fiber* share_fiber_ = nullptr;
  std::uint32_t share_left_ = 0;
  bool closed_ = false;
};

}  // namespace jumpcut::impl
