// Signals in plenty, as a profiler sends them.

#pragma once

#include <chrono>
#include <csignal>

#include <sys/time.h>

/// While it lives, a SIGALRM comes each time so long has passed.
class SignalStorm {
 public:
  explicit SignalStorm(std::chrono::microseconds interval, int flags = 0) {
    taken_ = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { taken_ = taken_ + 1; };
    action.sa_flags = flags;
    sigaction(SIGALRM, &action, &before_);
    const itimerval often{{0, interval.count()}, {0, interval.count()}};
    setitimer(ITIMER_REAL, &often, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;
  ~SignalStorm() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

  /// So far, by the last one made.
  static int taken() noexcept { return taken_; }

 private:
  static inline volatile std::sig_atomic_t taken_ = 0;
  struct sigaction before_ = {};
};
