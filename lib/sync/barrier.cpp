#include <jumpcut/barrier.hpp>

#include <mutex>
#include <string>

namespace jumpcut {

Barrier::Barrier(std::ptrdiff_t parties)
    : changed_("Barrier.wait()", "Barrier.wait()"), parties_(static_cast<std::size_t>(parties)) {
  if (parties < 1) {
    throw ValueError("a barrier is for 1 party or more, not for " + std::to_string(parties));
  }
}

std::size_t Barrier::wait() {
  const std::lock_guard<Condition> hold(changed_);
  changed_.wait_for([&] { return state_ != State::draining && state_ != State::resetting; });
  if (state_ == State::broken) {
    throw BrokenBarrierError("Barrier.wait: the barrier was aborted; reset() mends it");
  }
  struct Inside {
    Barrier& barrier;
    ~Inside() { barrier.leave(); }
  };
  const std::size_t index = count_++;
  const Inside inside{*this};
  if (index + 1 == parties_) {
    state_ = State::draining;
    changed_.notify_all();
    return index;
  }
  changed_.wait_for([&] { return state_ != State::filling; });
  if (state_ != State::draining) {
    throw BrokenBarrierError("Barrier.wait: the barrier was aborted or reset meanwhile");
  }
  return index;
}

/// With the lock held. The last one lets the next round in.
void Barrier::leave() {
  if (--count_ > 0) return;
  if (state_ != State::broken) state_ = State::filling;
  changed_.notify_all();
}

void Barrier::reset() {
  const std::lock_guard<Condition> hold(changed_);
  state_ = count_ > 0 ? State::resetting : State::filling;
  changed_.notify_all();
}

void Barrier::abort() {
  const std::lock_guard<Condition> hold(changed_);
  state_ = State::broken;
  changed_.notify_all();
}

}  // namespace jumpcut
