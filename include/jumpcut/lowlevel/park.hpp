#pragma once

#include <jumpcut/impl/core.hpp>
#include <jumpcut/lowlevel/fiber.hpp>

#include <cstdint>

namespace jumpcut::lowlevel {

/// One wait of one fiber: what park() stops on and wake() completes. It completes once; the second
/// wake finds that and does nothing, so a fiber can't be woken twice, nor by a waker of an earlier
/// wait. Lives where both sides can reach it, usually on the waiting fiber's stack, and at least
/// until park() has returned.
class Wait {
 public:
  Wait() noexcept = default;
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  /// Nobody has parked on it, nor woken it.
  bool is_fresh() const noexcept { return state_ == fresh; }
  bool is_woken() const noexcept { return state_ == woken; }
  /// The fiber that is parked on it, or null.
  Fiber* fiber() const noexcept {
    return state_ > woken ? reinterpret_cast<Fiber*>(state_) : nullptr;
  }

 private:
  template <auto switch_form>
  friend void park_by(Wait& wait);
  friend bool wake(Wait& wait);

  static constexpr std::uintptr_t fresh = 0;
  static constexpr std::uintptr_t woken = 1;

  std::uintptr_t state_ = fresh;  // fresh, woken, or the fiber
  impl::Core* core_ = nullptr;    // the fiber's, once it parks
};

/// park() by a given form of the switch; the benches compare them.
template <auto switch_form>
[[gnu::always_inline]] inline void park_by(Wait& wait) {
  impl::Core& core = impl::core_of_fiber("park");
  if (!wait.is_fresh()) [[unlikely]] {
    if (wait.is_woken()) return;
    impl::throw_second_park(*wait.fiber());
  }
  wait.core_ = &core;
  wait.state_ = reinterpret_cast<std::uintptr_t>(core.running);
  core.running->parked_ = true;
  core.switch_to_next<switch_form>();
}

/// Waits until somebody calls wake() on the same wait; returns at once, and without switching, if
/// that has happened. The one way for a fiber to stop, beside a task's, which awaits a future.
/// Throws RuntimeError outside a fiber, and if another fiber is parked on this wait.
[[gnu::always_inline]] inline void park(Wait& wait) {
  park_by<impl::switch_inlined>(wait);
}

/// Completes the wait: its fiber, if it is parked, becomes ready, behind all that is ready now; if
/// it is not parked yet, park() will not stop. Returns false if the wait was complete already.
/// Never switches. Throws RuntimeError if the fiber belongs to another thread.
[[gnu::always_inline]] inline bool wake(Wait& wait) {
  if (wait.state_ <= Wait::woken) [[unlikely]] {
    bool first = wait.state_ == Wait::fresh;
    wait.state_ = Wait::woken;
    return first;
  }
  impl::Core* core = impl::this_core;
  if (core != wait.core_) [[unlikely]] {
    core = wait.core_;  // it may be this thread's, and not run
    if (!core->on_its_thread()) impl::throw_wrong_thread("wake", *wait.fiber());
  }
  auto* fiber = reinterpret_cast<Fiber*>(wait.state_);
  wait.state_ = Wait::woken;
  fiber->parked_ = false;
  core->ready.push(impl::Entry(*fiber));
  return true;
}

/// yield() by a given form of the switch.
template <auto switch_form>
[[gnu::always_inline]] inline void yield_by() {
  impl::Core& core = impl::core_of_fiber("yield");
  core.ready.push(impl::Entry(*core.running));
  core.switch_to_next<switch_form>();
}

/// Returns once all that is ready now has had its turn.
[[gnu::always_inline]] inline void yield() {
  yield_by<impl::switch_inlined>();
}

/// The fiber that runs, or null: on the hub, and on threads without a scheduler.
inline Fiber* current_fiber() noexcept {
  impl::Core* core = impl::this_core;
  return core == nullptr || core->on_hub() ? nullptr : core->running;
}

}  // namespace jumpcut::lowlevel
