#include <jumpcut/sleep.hpp>

#include "loop/alarm.hpp"
#include "loop/loop_state.hpp"

namespace jumpcut::impl {

void sleep_until(TimePoint when, const char* call) {
  TaskBase& task = TaskBase::running(call);
  LoopState& loop = LoopState::of(*task.space().loop);
  Waiting waiting(task.space(), "sleep");
  const Alarm alarm(loop, when, waiting);
  TaskBase::wait_until_done(waiting, call);
  waiting.get();
}

TimePoint loop_now(const char* call) {
  return LoopState::of(*TaskBase::running(call).space().loop).now();
}

}  // namespace jumpcut::impl
