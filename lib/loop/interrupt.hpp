// SIGINT, as asyncio's Runner takes it.

#pragma once

#include <jumpcut/future.hpp>

#include <atomic>
#include <csignal>

namespace jumpcut::impl {

class LoopState;

/// While it lives, the first SIGINT cancels the main task and wakes the loop; the second ends the
/// loop's run; the third does what it did before. Only in the process's first thread, and where
/// nobody else handles the signal.
class InterruptGuard {
 public:
  InterruptGuard(LoopState& loop, const AnyFuture& main, bool wanted);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// In a forked process: see LoopState::leave_to_parent().
  static void forget() noexcept;

  /// On the loop: does what the signals ask for. Throws Interrupted at the second.
  void take();

  /// The main task was told.
  bool told() const noexcept { return told_; }
  /// It came when the main task was done, so nobody was told.
  bool unheard() const noexcept { return !told_ && count_.load() > 0; }

 private:
  static void handle(int signal);

  LoopState& loop_;
  const AnyFuture& main_;
  struct sigaction before_ = {};
  std::atomic<int> count_{0};
  int taken_ = 0;
  bool installed_ = false;
  bool told_ = false;
};

}  // namespace jumpcut::impl
