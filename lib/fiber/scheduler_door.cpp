#include <jumpcut/lowlevel/scheduler.hpp>

namespace jumpcut::impl {

void SchedulerDoor::begin_now(Core& core, Job& job) {
  struct Start {
    lowlevel::Scheduler& scheduler;
    lowlevel::Fiber& fiber;
  } start{of(core), of(core).begin_apart(job)};
  auto run = [](void* argument) noexcept {
    const Start& self = *static_cast<Start*>(argument);
    self.scheduler.run_aside(self.fiber);
  };
  if (core.on_hub()) return run(&start);
  call_on_hub("create_task", run, &start);
}

void SchedulerDoor::visit_aside(Core& core, lowlevel::Fiber& fiber) {
  fiber.return_to_ = &core.hub;
  auto run = [](void* argument) noexcept {
    auto& self = *static_cast<lowlevel::Fiber*>(argument);
    self.scheduler().run_aside(self);
  };
  if (core.on_hub()) return run(&fiber);
  call_on_hub("~Generator", run, &fiber);
}

}  // namespace jumpcut::impl
