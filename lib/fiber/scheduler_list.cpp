#include "scheduler_list.hpp"

#include "base/check.hpp"

#include <mutex>
#include <string>

/// Where a debugger begins: each scheduler leads to the next (next_scheduler_) and to its fibers
/// (fibers_, then next_).
extern "C" {
JUMPCUT_API extern jumpcut::lowlevel::Scheduler* jumpcut_schedulers;
jumpcut::lowlevel::Scheduler* jumpcut_schedulers = nullptr;
}

namespace jumpcut::impl {

namespace {

std::mutex mutex;

}  // namespace

void SchedulerList::add(lowlevel::Scheduler& scheduler) {
  const std::lock_guard lock(mutex);
  scheduler.next_scheduler_ = jumpcut_schedulers;
  jumpcut_schedulers = &scheduler;
}

void SchedulerList::remove(lowlevel::Scheduler& scheduler) noexcept {
  const std::lock_guard lock(mutex);
  lowlevel::Scheduler** place = &jumpcut_schedulers;
  while (*place != &scheduler) place = &(*place)->next_scheduler_;
  *place = scheduler.next_scheduler_;
}

void name_the_abandoned(lowlevel::Scheduler& scheduler, std::size_t count) noexcept {
  constexpr std::size_t most = 10;
  std::string names;
  std::size_t named = 0;
  scheduler.for_each_fiber([&](lowlevel::Fiber& fiber) {
    if (named++ < most) names += (names.empty() ? "'" : ", '") + fiber.name() + "'";
  });
  warn(
      "a Scheduler is destroyed while %zu %s parked for ever: %s%s; the stacks and what they hold "
      "are left as they are",
      count, count == 1 ? "fiber is" : "fibers are", names.c_str(), named > most ? ", ..." : "");
}

}  // namespace jumpcut::impl
