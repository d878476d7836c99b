#pragma once

#include <jumpcut/impl/deadline.hpp>

#include "loop/loop_state.hpp"

#include <exception>
#include <string>

namespace jumpcut::impl {

/// Calls expire(scope) when the deadline has come, which may be changed meanwhile.
class DeadlineTimer final : public Timer {
 public:
  DeadlineTimer(LoopState& loop, void (*expire)(void*), void* scope) noexcept
      : loop_(loop), expire_(expire), scope_(scope) {}
  ~DeadlineTimer() { clear(); }

  void clear() noexcept { loop_.cancel_timer(*this); }
  /// Once it is cleared. A deadline that has passed has its turn behind what is ready now.
  void set(TimePoint when) {
    if (when <= loop_.now()) {
      loop_.add_due_timer(*this);
    } else {
      loop_.add_timer(when, *this);
    }
  }
  LoopState& loop() const noexcept { return loop_; }

  void run() override {
    place = nowhere;
    try {
      expire_(scope_);
    } catch (...) {  // tasks that wait for each other in a circle can't be cancelled
      loop_.report({"a task could not be cancelled at its deadline", std::current_exception(), {}});
    }
  }

 private:
  LoopState& loop_;
  void (*expire_)(void*);
  void* scope_;
};

/// "timed out: timeout() at file:line"
std::string timeout_text(const char* call, const SourceLocation& where);

}  // namespace jumpcut::impl
