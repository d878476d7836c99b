#include "clock.hpp"

#include <cmath>

namespace conformance {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// More than the last bits that a sum can be off by, less than a microsecond.
constexpr nanoseconds early{8};

// As CPython's oracle does it: the clock's microseconds, divided.
double seconds(nanoseconds time) {
  return static_cast<double>(std::chrono::duration_cast<microseconds>(time).count()) / 1e6;
}

}  // namespace

bool Clock::jump_to(jumpcut::TimePoint when) {
  now_ = std::chrono::ceil<microseconds>(when);
  return true;
}

long long Clock::milliseconds() const {
  return std::chrono::round<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

nanoseconds Clock::delay(long long milliseconds) const {
  const nanoseconds delay = std::chrono::milliseconds(milliseconds);
  if (delay <= nanoseconds::zero()) return delay;
  const nanoseconds now = now_.time_since_epoch();
  const double exact = seconds(now + delay);
  const double sum = seconds(now) + static_cast<double>(milliseconds) / 1000;
  const double last_bit = std::nextafter(exact, HUGE_VAL) - exact;
  return delay - early + nanoseconds(std::lround((sum - exact) / last_bit));
}

}  // namespace conformance
