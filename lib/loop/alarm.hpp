// How a wait ends at a time; what cuts code short at one is deadline_timer.hpp.

#pragma once

#include "loop/loop_state.hpp"

namespace jumpcut::impl {

/// On the sleeper's stack: when its turn comes, whoever sleeps is woken, if nothing else did it.
class Alarm final : public Timer {
 public:
  Alarm(LoopState& loop, TimePoint when, FutureBase& future) : loop_(loop), future_(future) {
    loop.add_timer(when, *this);
  }
  ~Alarm() { loop_.cancel_timer(*this); }

  void run() override {
    place = nowhere;  // or cancel_timer() would look for it in the whole ready queue
    if (!future_.is_done()) future_.finish();
  }

 private:
  LoopState& loop_;
  FutureBase& future_;
};

}  // namespace jumpcut::impl
