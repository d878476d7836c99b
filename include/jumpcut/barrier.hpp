#pragma once

#include <jumpcut/condition.hpp>
#include <jumpcut/error.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut {

/// The barrier was aborted, or reset while the task waited in it.
class JUMPCUT_API BrokenBarrierError : public RuntimeError {
 public:
  using RuntimeError::RuntimeError;
};

/// A place where tasks wait until so many have come: asyncio.Barrier. Then all of them go on, and
/// it can be used again.
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed.
class JUMPCUT_API Barrier {
 public:
  /// Throws ValueError for less than 1.
  explicit Barrier(std::ptrdiff_t parties);
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Waits until the last party has come, which does not wait itself. While those of the round
  /// before leave, or it is being reset, newcomers wait for that first. Returns how many came
  /// before: 0 for the first, one less than the parties for the last. Throws BrokenBarrierError if
  /// it is aborted, or is reset meanwhile, Cancelled, and RuntimeError outside a task and in
  /// another loop's.
  std::size_t wait();

  /// Waits for its turn to sets it back to empty; those who wait in it get BrokenBarrierError. Also
  /// mends one that was aborted.
  void reset();
  /// Waits for its turn to break it: everyone who waits in it gets BrokenBarrierError, and so does
  /// everyone who comes, until reset().
  void abort();

  std::size_t parties() const noexcept { return parties_; }
  /// Tasks that have come; 0 while they leave.
  std::size_t n_waiting() const noexcept { return state_ == State::filling ? count_ : 0; }
  bool broken() const noexcept { return state_ == State::broken; }

 private:
  enum class State : std::uint8_t { filling, draining, resetting, broken };

  void leave();

  Condition changed_;
  std::size_t parties_;
  std::size_t count_ = 0;  // those inside
  State state_ = State::filling;
};

}  // namespace jumpcut
