// What a fiber runs: job after job, until it is not needed.

#include <jumpcut/lowlevel/scheduler.hpp>

#include "base/check.hpp"
#include "base/sanitizers.hpp"
#include "fiber/fiber_locals.hpp"

#include <exception>
#include <utility>

namespace jumpcut::lowlevel {

namespace {

/// Takes part in ending what ends by an exception.
[[noreturn]] void fail_by_exception(const Fiber& fiber) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    impl::fail("fiber '%s' ended with an exception that nothing caught: %s", fiber.name().c_str(),
               error.what());
  } catch (...) {
    impl::fail("fiber '%s' ended with an exception that nothing caught", fiber.name().c_str());
  }
}

}  // namespace

/// A fiber whose job is done takes the next one if that is what comes next; so jobs that never park
/// run one after another on one hot stack. Otherwise it waits for one as the spare fiber, so that
/// ending a fiber and beginning one are a mere switch. Returns false if it is not needed.
inline bool Scheduler::next_job(Fiber& fiber) noexcept {
  if (!reuse_ || fiber.pool_ != usual_pool_) return false;
  if (!has_next() || !ready.front().is_job()) return wait_for_job(fiber);
  impl::Job& job = ready.front().job();
  if (job.pool != usual_pool_ || job.withdrawn) return wait_for_job(fiber);
  fiber.job_ = &job;
  ready.pop();
  prefetch<-32, 32>();  // a task's record, which a Job is in the midst of
  fiber.done_ = false;
  *error_number = 0;
  impl::jumpcut_set_control(&hub.saved_);
  return true;
}

/// The outermost function of every fiber: runs one job after the other.
void Scheduler::fiber_main(void* argument, void*) {
  Fiber& fiber = *static_cast<Fiber*>(argument);
  Scheduler& scheduler = *static_cast<Scheduler*>(fiber.core_);
  impl::sanitizers::arrived(fiber.tool_);
  do {
    scheduler.run_job(fiber);
    if (fiber.return_to_ != nullptr) [[unlikely]]
      scheduler.go_back(fiber);
  } while (fiber.job_ != nullptr || scheduler.next_job(fiber));
  scheduler.leave(fiber, scheduler.next());
}

void Scheduler::run_job(Fiber& fiber) noexcept {
  impl::Job& job = *fiber.job_;
  try {
    job.run();
  } catch (...) {
    fail_by_exception(fiber);
  }
  fiber.done_ = true;
  if (fiber.locals_ != nullptr) [[unlikely]]
    impl::destroy_locals(fiber.locals_);
  fiber.job_ = nullptr;
  fiber.task_ = nullptr;
  fiber.context_ = nullptr;
  fiber.interrupted_ = false;
  job.dispose();
  ready.give_up();
  --alive_;
}

bool Scheduler::wait_for_job(Fiber& fiber) noexcept {
  if (spare_ != nullptr) return false;
  spare_ = &fiber;
  *error_number = 0;
  switch_to_next<impl::switch_inlined>();
  if (fiber.job_ == nullptr) leave(fiber, hub);  // from drop_spare()
  fiber.done_ = false;
  return true;
}

/// The job was begun by a fiber that goes on now. Returns if there is another job.
void Scheduler::go_back(Fiber& fiber) noexcept {
  Fiber& to = *std::exchange(fiber.return_to_, nullptr);
  if (!reuse_ || fiber.pool_ != usual_pool_ || spare_ != nullptr) leave(fiber, to);
  impl::jumpcut_set_control(&hub.saved_);
  spare_ = &fiber;
  *error_number = 0;
  transfer<impl::switch_inlined>(fiber, to);
  if (fiber.job_ == nullptr) leave(fiber, hub);  // from drop_spare()
  fiber.done_ = false;
}

}  // namespace jumpcut::lowlevel
