// All schedulers of the process, for debuggers and for reports.

#pragma once

#include <jumpcut/lowlevel/scheduler.hpp>

namespace jumpcut::impl {

struct SchedulerList {
  static void add(lowlevel::Scheduler& scheduler);
  static void remove(lowlevel::Scheduler& scheduler) noexcept;
};

/// Says on standard error which fibers of a scheduler that goes away are still parked.
void name_the_abandoned(lowlevel::Scheduler& scheduler, std::size_t count) noexcept;

}  // namespace jumpcut::impl
