// How long a loop has been in the same step, by looking at it now and then.

#pragma once

#include <chrono>
#include <cstdint>

namespace jumpcut::impl {

/// What changes whenever a loop gets on.
struct Progress {
  std::uint64_t turn = 0;  // odd: it works; even: it sleeps
  std::uint64_t step = 0;

  bool works() const noexcept { return turn % 2 != 0; }
  bool operator==(const Progress&) const noexcept = default;
};

/// Finds a step to be too long once it has taken `threshold`, and again each time that has doubled.
class StallTimer {
 public:
  using Time = std::chrono::nanoseconds;

  /// `elapsed` is the time since the last look. Returns whether it is time to report.
  bool look(const Progress& progress, Time elapsed, Time threshold) noexcept {
    if (!progress.works() || progress != seen_) {
      *this = {};
      seen_ = progress;
      next_report_ = threshold;
      return false;
    }
    lasted_ += elapsed;
    if (lasted_ < next_report_) return false;
    while (next_report_ <= lasted_) next_report_ *= 2;
    ++reports_;
    return true;
  }

  const Progress& seen() const noexcept { return seen_; }
  /// The step's time so far, at least.
  Time lasted() const noexcept { return lasted_; }
  bool is_first_report() const noexcept { return reports_ == 1; }

 private:
  Progress seen_;
  Time lasted_{};
  Time next_report_{};
  std::uint64_t reports_ = 0;
};

}  // namespace jumpcut::impl
