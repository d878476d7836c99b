// What a process does that a loop's callback has forked, and that goes on without the loop.

#include "loop/interrupt.hpp"
#include "loop/loop_state.hpp"
#include "loop/signals.hpp"

namespace jumpcut::impl {

void LoopState::leave_to_parent() noexcept {
  SignalCall::forget_all();
  InterruptGuard::forget();
  heartbeat_.reset();
  this_core = nullptr;
}

}  // namespace jumpcut::impl
