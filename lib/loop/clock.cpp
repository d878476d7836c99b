#include <jumpcut/clock.hpp>

#include <cstddef>
#include <new>
#include <string>

namespace jumpcut {

Clock::~Clock() = default;

bool Clock::jump_to(TimePoint) {
  return false;
}

SteadyClock& SteadyClock::instance() noexcept {
  // Never destroyed: threads may still read it while the process ends.
  alignas(SteadyClock) static std::byte memory[sizeof(SteadyClock)];
  static SteadyClock& clock = *new (memory) SteadyClock;
  return clock;
}

TimePoint SteadyClock::now() noexcept {
  return std::chrono::steady_clock::now();
}

bool VirtualClock::jump_to(TimePoint when) {
  if (when < now_) {
    throw ValueError("VirtualClock: it is " + std::to_string(now_.time_since_epoch().count()) +
                     " ns, and it can't go back to " +
                     std::to_string(when.time_since_epoch().count()) + " ns");
  }
  if (when == TimePoint::max()) {
    throw ValueError("VirtualClock: it can't go to TimePoint::max(), which means never");
  }
  now_ = when;
  return true;
}

}  // namespace jumpcut

void jumpcut::impl::throw_nan_duration() {
  throw ValueError("a duration is not a number (NaN)");
}
