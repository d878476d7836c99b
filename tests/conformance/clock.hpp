#pragma once

#include <jumpcut/jumpcut.hpp>

#include <chrono>

namespace conformance {

// A virtual clock that reads whole microseconds, and keeps the order of Python's timers.
//
// Python's deadlines are floats, and two that ought to be equal may differ in the last bit: 0.013 +
// 0.008 comes before 0.021. The traces show which timer is first, and that both are due at the same
// moment. So each timer is set some nanoseconds early, in the order of the floats, and the clock
// stops at the microsecond after them.
class Clock final : public jumpcut::Clock {
 public:
  jumpcut::TimePoint now() noexcept override { return now_; }
  bool jump_to(jumpcut::TimePoint when) override;

  long long milliseconds() const;

  // What to wait for a timer that Python would set now.
  std::chrono::nanoseconds delay(long long milliseconds) const;

 private:
  jumpcut::TimePoint now_{};
};

}  // namespace conformance
