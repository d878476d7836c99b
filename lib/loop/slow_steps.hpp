// Which steps took too long, one by one or all those of a tick: measured in debug mode.

#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/core.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace jumpcut::impl {

class LoopState;

/// Measures by the loop's clock. What it finds is kept until report(), for a step ends on the stack
/// of the fiber that parks.
class SlowSteps final : public StepObserver {
 public:
  explicit SlowSteps(LoopState& loop) noexcept : loop_(loop) {}

  void begins(Entry entry) noexcept override;
  void ended() noexcept override;
  /// To the exception handler. On the hub.
  void report() noexcept {
    if (is_used_) [[unlikely]]
      report_all();
  }

 private:
  void report_all() noexcept;
  void end_tick();
  void add(const std::string& what, std::chrono::nanoseconds took);

  LoopState& loop_;
  TimePoint began_{};
  bool is_used_ = false;  // since the last report
  bool under_way_ = false;
  struct Tick {
    std::uint64_t steps = 0;
    std::chrono::nanoseconds took{};
    bool has_slow_one = false;
  } tick_;
  std::string name_;  // empty: a callback's
  std::vector<std::string> slow_;
};

}  // namespace jumpcut::impl
