// SIGINT, as asyncio's Runner takes it.

#pragma once

#include "loop/loop_state.hpp"

#include <csignal>

namespace jumpcut::impl {

/// While it lives, the first SIGINT cancels the main task and wakes the loop; the second ends the
/// loop's run; the third does what it did before. Only where nobody else handles the signal.
class InterruptGuard {
 public:
  InterruptGuard(LoopState& loop, const AnyTask& main, bool wanted);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// The main task was told.
  bool came() const noexcept { return told_; }

 private:
  class Notice;

  static void handle(int signal);
  void tell_main();

  LoopState& loop_;
  const AnyTask main_;
  struct sigaction before_ = {};
  Notice* notice_ = nullptr;
  std::atomic<int> count_{0};
  bool installed_ = false;
  bool told_ = false;
};

}  // namespace jumpcut::impl
