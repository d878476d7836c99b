// Says which step holds up a loop: one that runs for long and does not wait.

#pragma once

#include <jumpcut/impl/core.hpp>

#include "fiber/stack_sample.hpp"
#include "fiber/stall_timer.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include <pthread.h>

namespace jumpcut::impl {

/// A step that has not ended.
struct Stall {
  std::chrono::nanoseconds lasted{};  ///< so far, at least
  bool is_sampled = false;            ///< or else nothing but the time is known
  StackSample sample = {};

  /// A line that says it, and the frames, each on its own.
  std::string text() const;
};

struct WatchOptions {
  /// How long a step may take. It is reported when it has taken that long, and again each time that
  /// has doubled. Zero: never.
  std::chrono::nanoseconds threshold = std::chrono::milliseconds(100);
  /// Called on the watchdog's thread; null: the text goes to standard error.
  void (*report)(const Stall& stall) = nullptr;
};

/// What a loop lets the watchdog see. Made and destroyed on the loop's thread; the watchdog, one
/// thread a process, starts with the first one that begins. It sleeps while no loop works, and is
/// not there at all with JUMPCUT_WATCHDOG=off in the environment.
class Heartbeat {
 public:
  explicit Heartbeat(Core& core, WatchOptions options = {});
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();

  /// The loop is about to run what is ready.
  void begin() noexcept {
    advance();
    if (watchdog_rests.load(std::memory_order_relaxed) && is_watched_) [[unlikely]]
      wake_watchdog();
  }
  /// It is about to sleep, or to return.
  void end() noexcept { advance(); }

  /// Whether the watchdog sleeps until it is told that a loop works. For any thread.
  static bool is_watchdog_resting();
  /// How many steps were found to take too long. For any thread.
  std::uint64_t stalls() const noexcept { return stalls_.load(std::memory_order_relaxed); }

 private:
  friend class Watchdog;

  static void wake_watchdog() noexcept;
  static constinit std::atomic<bool> watchdog_rests;

  void advance() noexcept {
    turn_.store(turn_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  Progress progress() const noexcept;

  std::atomic<std::uint64_t> turn_{0};
  std::atomic<std::uint64_t> stalls_{0};
  Core& core_;
  WatchOptions options_;
  pthread_t thread_ = pthread_self();
  bool is_watched_ = false;

  // The watchdog's.
  Heartbeat* next_ = nullptr;
  StallTimer timer_;
};

}  // namespace jumpcut::impl
