#include "loop/slow_steps.hpp"

#include "base/symbols.hpp"
#include "fiber/frames.hpp"
#include "loop/loop_state.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <new>
#include <utility>

namespace jumpcut::impl {

namespace {

/// Of the callback that ran last: "call_soon callback main()::{lambda()#1}".
std::string callback_name(const TaskSpace& space) {
  if (space.callback == nullptr) return "a callback";
  const std::string function = callable_among_arguments(demangle(space.callback_type->name()));
  return std::string(space.callback) + (function.empty() ? " callback" : " callback " + function);
}

}  // namespace

void SlowSteps::begins(Entry entry) noexcept {
  is_used_ = true;
  name_.clear();
  loop_.space->callback = nullptr;
  try {
    // It may be gone when its step has ended.
    if (entry.is_fiber()) {
      const TaskBase* task = TaskBase::of(entry.fiber());
      name_ = task != nullptr ? task->describe() : "fiber '" + entry.fiber().name() + "'";
    } else if (entry.is_job()) {
      const Job& job = entry.job();
      name_ = job.is_task ? static_cast<const TaskBase&>(job).describe() : "a fiber";
    }
  } catch (const std::bad_alloc&) {  // named as a callback, then
  }
  began_ = loop_.now();
  under_way_ = true;
}

void SlowSteps::ended() noexcept {
  if (!std::exchange(under_way_, false)) return;
  const std::chrono::nanoseconds took = loop_.now() - began_;
  ++tick_.steps;
  tick_.took += took;
  if (took < loop_.options.slow_callback_duration) return;
  tick_.has_slow_one = true;
  try {
    add("Executing " + (name_.empty() ? callback_name(*loop_.space) : name_), took);
  } catch (const std::bad_alloc&) {
  }
}

/// Many that are quick may take long together, and keep timers and descriptors waiting.
void SlowSteps::end_tick() {
  const Tick tick = std::exchange(tick_, {});
  if (tick.steps < 2 || tick.has_slow_one || tick.took < loop_.options.slow_callback_duration)
    return;
  add("A tick of " + std::to_string(tick.steps) + " steps, none of them slow by itself,",
      tick.took);
}

void SlowSteps::add(const std::string& what, std::chrono::nanoseconds took) {
  std::array<char, 48> time{};
  std::snprintf(time.data(), time.size(), " took %.3f s",
                std::chrono::duration<double>(took).count());
  slow_.push_back(what + time.data());
}

void SlowSteps::report_all() noexcept {
  is_used_ = under_way_ = false;
  try {
    end_tick();
  } catch (const std::bad_alloc&) {
  }
  for (const std::string& text : std::exchange(slow_, {})) loop_.report({text});
}

}  // namespace jumpcut::impl
