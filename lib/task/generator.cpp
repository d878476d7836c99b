#include <jumpcut/generator.hpp>

#include <jumpcut/impl/scope_base.hpp>

#include "base/check.hpp"

#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

namespace jumpcut::impl {

void throw_no_generator(const char* call) {
  throw RuntimeError(std::string(call) +
                     ": this generator was moved from; use the one that it went to");
}

void GeneratorBase::prepare(const char* call) {
  if (state_ == State::running) {
    throw RuntimeError(std::string(call) + ": the generator runs already, for task '" +
                       (task_ != nullptr ? task_->task_name() : "?") +
                       "'; it goes on for one task at a time");
  }
  TaskBase& task = TaskBase::running(call);
  TaskSpace& space = task.space();
  pool = stack_size_ == 0 ? SchedulerDoor::usual_pool(*space.core)
                          : &SchedulerDoor::pool_of(*space.core, stack_size_);
  fiber_ = &SchedulerDoor::make_fiber(*space.core, *this);
  space_ = &space;
  number = ++space.generator_numbers;
  std::snprintf(own_name_, sizeof own_name_, "generator-%" PRIu64, number);
  name = own_name_;
  next_ = space.first_generator;
  if (next_ != nullptr) next_->previous_ = this;
  space.first_generator = this;
}

/// Its function's frames are gone.
void GeneratorBase::leave() noexcept {
  state_ = State::done;
  value_ = nullptr;
  fiber_ = nullptr;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : space_->first_generator) = next_;
}

void GeneratorBase::run() {
  try {
    call_body();
  } catch (const GeneratorExit&) {
  } catch (...) {
    error_ = std::current_exception();
  }
  drop_body();
  leave();
  task_ = nullptr;
  if (TaskBase* task = TaskBase::current()) task->come_back();
}

void GeneratorBase::finish() {
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

void GeneratorBase::close() {
  if (state_ == State::done) return;
  if (state_ == State::fresh) {
    drop_body();
    state_ = State::done;
    return;
  }
  if (state_ == State::running) prepare("Generator.close");
  closing_ = true;
  try {
    go_there("Generator.close");
  } catch (...) {
    closing_ = false;
    throw;
  }
  closing_ = false;
  if (state_ == State::suspended) {
    throw RuntimeError(
        "Generator.close: the generator ignored GeneratorExit, and yielded again; code that "
        "catches it must rethrow it");
  }
  finish();
}

void GeneratorBase::end_now() noexcept {
  JUMPCUT_CHECK(state_ != State::running, "a generator is destroyed while it runs");
  if (state_ != State::suspended || space_ == nullptr) return;
  Core& core = *space_->core;
  JUMPCUT_CHECK(core.on_its_thread(), "a generator is destroyed on another thread than its loop's");
  TaskSpace& space = *space_;
  closing_ = true;
  state_ = State::running;
  if (this_core == &core) {
    TaskBase::end_fiber(core, *fiber_);
  } else {
    SchedulerDoor::while_running(
        SchedulerDoor::of(core),
        [](void* argument) {
          auto& self = *static_cast<GeneratorBase*>(argument);
          TaskBase::end_fiber(*self.space_->core, *self.fiber_);
        },
        this);
  }
  JUMPCUT_CHECK(state_ == State::done, "the clean-up of a generator parked in its destructor");
  if (error_ != nullptr && space.report != nullptr) {
    space.report(space, "Exception in a generator that was destroyed", error_, nullptr);
  }
}

bool GeneratorBase::is_ending(const Core& core) noexcept {
  if (core.tasks == nullptr) return false;
  const GeneratorBase* one = core.tasks->first_generator;
  while (one != nullptr && one->fiber_ != core.running) one = one->next_;
  return one != nullptr;
}

void GeneratorBase::close_all(TaskSpace& space) {
  // What is closed may begin others; one that refuses stays.
  std::uint64_t last = ~std::uint64_t{0};
  for (;;) {
    GeneratorBase* next = nullptr;
    for (GeneratorBase* one = space.first_generator; one != nullptr; one = one->next_) {
      if (one->state_ == State::suspended && one->number < last &&
          (next == nullptr || one->number > next->number)) {
        next = one;
      }
    }
    if (next == nullptr) return;
    last = next->number;
    try {
      next->close();
    } catch (...) {
      if (space.report == nullptr) continue;
      space.report(space, "Exception in a generator that the loop closed, for it ends",
                   std::current_exception(), nullptr);
    }
  }
}

void GeneratorBase::abandon_all(TaskSpace& space) noexcept {
  while (GeneratorBase* one = space.first_generator) {
    space.first_generator = one->next_;
    one->space_ = nullptr;
  }
}

void GeneratorBase::throw_exit() {
  throw GeneratorExit();
}

void GeneratorBase::refuse_outside() {
  throw RuntimeError(
      "yield outside its generator: only the generator's own function may call it, not what that "
      "made another task or callback");
}

void GeneratorBase::refuse_loop(const char* call) const {
  throw RuntimeError(std::string(call) + ": the generator was begun in " +
                     (space_ == nullptr ? "a loop that is closed" : "another loop") +
                     ", and goes on only there");
}

void GeneratorBase::refuse_inside_scope(const TaskBase& task) const {
  throw RuntimeError(std::string("yield inside ") +
                     (task.scope() != scope_ ? "a cancel scope" : "Context::run()") +
                     " that was entered in the generator: its caller, task '" + task.task_name() +
                     "', would be in it as well; leave it first");
}

void GeneratorBase::refuse_while_ending() {
  constexpr std::uint16_t patience = 100;
  if (++ignored_ == 1 && space_->report != nullptr) {
    space_->report(*space_,
                   "a generator ignored GeneratorExit, and yielded again; code that catches it "
                   "must rethrow it",
                   nullptr, nullptr);
  }
  if (ignored_ == patience) {
    fail("a generator was destroyed, and does not end: it yielded %d times more", patience);
  }
  throw_exit();
}

}  // namespace jumpcut::impl
