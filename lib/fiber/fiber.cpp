#include <jumpcut/lowlevel/fiber.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "context/on_top.hpp"

namespace jumpcut::lowlevel {

std::string Fiber::name() const {
  if (job_ == nullptr) return "hub";
  const impl::Job& job = job_->namesake();
  if (job.name != nullptr) return job.name;
  return job.prefix() + std::to_string(job.number);
}

Fiber::State Fiber::state() const noexcept {
  if (core_->running == this) return done_ ? State::done : State::running;
  return parked_ || waiter_.is_listed() ? State::parked : State::ready;
}

Scheduler& Fiber::scheduler() const noexcept {
  return *static_cast<Scheduler*>(core_);
}

std::size_t Fiber::high_water() const {
  return pool_->high_water(stack_);
}

void Fiber::run_on_top(void (*function)(void*) noexcept, void* argument) {
  if (core_->running == this) {
    throw RuntimeError("run_on_top: fiber '" + name() + "' is running: call the function instead");
  }
  impl::run_on_top(saved_, tool_, function, argument);
}

}  // namespace jumpcut::lowlevel
