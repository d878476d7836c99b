// Which steps took too long: measured one by one, in debug mode.

#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/core.hpp>

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
  void report() noexcept;

 private:
  LoopState& loop_;
  TimePoint began_{};
  bool under_way_ = false;
  std::string name_;  // empty: a callback's
  std::vector<std::string> slow_;
};

}  // namespace jumpcut::impl
