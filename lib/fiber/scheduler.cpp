#include <jumpcut/lowlevel/scheduler.hpp>

#include <jumpcut/lowlevel/overflow.hpp>
#include <jumpcut/lowlevel/park.hpp>

#include "base/check.hpp"
#include "base/sanitizers.hpp"
#include "context/first_frame.hpp"
#include "fiber/fiber_locals.hpp"
#include "fiber/fiber_name.hpp"
#include "fiber/scheduler_list.hpp"

#include <bit>
#include <cstring>
#include <exception>
#include <utility>

namespace jumpcut::lowlevel {

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {
  if (options_.attached && impl::this_core != nullptr) {
    throw RuntimeError("Scheduler: this thread has a scheduler already; use Scheduler::current()");
  }
  pools_.push_back(std::make_unique<StackPool>(options_.stacks));
  usual_pool_ = pools_.front().get();
  reuse_ = options_.stacks.scrub == Scrub::never;
  ready.reserve();  // so that the ring exists
  ready.give_up();
  hub.saved_.control = impl::jumpcut_control();
  impl::sanitizers::warn_if_unannounced();
  if (options_.name_overflows) {
    impl::name_overflowing_fibers();
    install_overflow_handler();
    ensure_alternate_stack();
  }
  impl::SchedulerList::add(*this);
  if (options_.attached) impl::this_core = this;
}

Scheduler::~Scheduler() {
  JUMPCUT_CHECK(on_its_thread() && !is_running_,
                "a Scheduler is destroyed on its own thread, when it does not run");
  for (; !ready.empty(); ready.pop()) {
    const impl::Entry entry = ready.front();
    if (entry.is_job()) {
      entry.job().dispose();
      --alive_;
    } else if (!entry.is_fiber()) {
      entry.callback().dispose();
    }
  }
  if (alive_ > 0) {
    if (names_abandoned_) impl::name_the_abandoned(*this, alive_);
    for (auto& pool : pools_) pool->leak();
    memory_.leak();
  }
  impl::destroy_locals(hub.locals_);
  impl::sanitizers::destroy(hub.tool_);
  impl::SchedulerList::remove(*this);
  if (impl::this_core == this) impl::this_core = nullptr;
}

void Scheduler::check_can_run(const char* call) const {
  if (!on_its_thread()) {
    throw RuntimeError(std::string(call) + ": this scheduler belongs to another thread");
  }
  if (is_running_) {
    throw RuntimeError(std::string(call) +
                       ": this scheduler runs already; a fiber or a callback of it can't run it");
  }
}

/// As long as it turns: it is the thread's, and the thread's own stack is the hub's.
class Scheduler::Running {
 public:
  explicit Running(Scheduler& scheduler) noexcept : scheduler_(scheduler), outer_(impl::this_core) {
    scheduler_.is_running_ = true;
    impl::this_core = &scheduler;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    scheduler_.attention.fetch_and(~single_tick, std::memory_order_relaxed);
    scheduler_.drop_spare();
    scheduler_.is_running_ = false;
    impl::this_core = outer_;
  }

 private:
  Scheduler& scheduler_;
  impl::Core* outer_;
  impl::sanitizers::KeepsThreadStack stack_;
};

std::size_t Scheduler::run() {
  check_can_run("Scheduler::run");
  const Running guard(*this);
  while (!ready.empty()) turn();
  return alive_;
}

void Scheduler::run_tick() {
  check_can_run("Scheduler::run_tick");
  const Running guard(*this);
  attention.fetch_or(single_tick, std::memory_order_relaxed);
  turn();
}

/// One tick, and as many more as begin by themselves.
[[gnu::hot]] void Scheduler::turn() {
  open_tick();
  while (has_next()) step();
}

void Scheduler::while_running(void (*function)(void*), void* argument) {
  check_can_run("Loop::run");
  const Running guard(*this);
  function(argument);
}

/// Where run() threw out of the middle of a tick, the next goes on with its rest.
void Scheduler::open_tick() noexcept {
  if (ready.head != tick_end) return;
  ++ticks;
  tick_end = ready.tail;
  careful = has_canaries || observer != nullptr;
  batch_end = careful ? ready.head : tick_end;
}

/// Until the hub is wanted: for its own sake, or to make a call for the fiber that runs then.
[[gnu::hot]] void Scheduler::run_fiber(Fiber& first) noexcept {
  Fiber* fiber = &first;
  for (;;) {
    transfer<impl::switch_inlined>(hub, *fiber);
    if (hub_call.function == nullptr) return;
    const impl::HubCall call = std::exchange(hub_call, {});
    call.function(call.argument);
    fiber = call.caller;
  }
}

/// On the hub, for whoever is to see the fiber's first steps done before going on: until it parks
/// or ends. Nothing else runs meanwhile.
void Scheduler::run_aside(Fiber& first) noexcept {
  const std::uint64_t batch = std::exchange(batch_end, ready.head);
  const std::uint32_t before = attention.fetch_or(aside, std::memory_order_relaxed);
  run_fiber(first);
  if ((before & aside) == 0) attention.fetch_and(~aside, std::memory_order_relaxed);
  batch_end = batch;
}

/// The job's turn comes, but it is not wanted any more.
void Scheduler::end_withdrawn(impl::Job& job) noexcept {
  ready.pop();
  ready.give_up();
  --alive_;
  job.end_unstarted();
  job.dispose();
}

/// The hub takes one entry; fibers take as many as they like before they come back.
[[gnu::hot]] void Scheduler::step() {
  const impl::Entry entry = ready.front();
  if (entry.is_job() && entry.job().withdrawn) [[unlikely]]
    return end_withdrawn(entry.job());
  if (entry.is_job()) {
    Fiber* fiber = begin_or_end(entry.job());
    ready.pop();
    if (fiber != nullptr) run_fiber(*fiber);
    return;
  }
  if (entry.is_fiber()) {
    ready.pop();
    return run_fiber(entry.fiber());
  }
  ready.pop();
  ready.give_up();
  impl::Callback& callback = entry.callback();
  struct Guard {
    impl::Callback& callback;
    ~Guard() { callback.dispose(); }
  } guard{callback};
  callback.run();
}

void Scheduler::equip(impl::Job& job, const SpawnOptions& options) {
  try {
    if (options.stack_size != 0) job.pool = &pool_of(options.stack_size);
    if (!options.name.empty()) {
      job.name = static_cast<char*>(memory_.take(options.name.size() + 1));
      std::memcpy(job.name, options.name.data(), options.name.size());
      job.name[options.name.size()] = '\0';
    }
  } catch (...) {
    job.dispose();
    throw;
  }
}

void Scheduler::reserve_for(impl::Job& job) {
  try {
    ready.reserve();
  } catch (...) {
    job.dispose();
    throw;
  }
}

void Scheduler::admit(impl::Callback& callback) {
  try {
    ready.reserve();
  } catch (...) {
    callback.dispose();
    throw;
  }
  ready.push(impl::Entry(callback));
}

/// One pool a size, and sizes are powers of two, so there are never many.
StackPool& Scheduler::pool_of(std::size_t stack_size) {
  StackPoolOptions options = options_.stacks;
  options.stack_size = stack_size;
  if (stack_size >= StackPool::min_stack_size() && stack_size <= StackPool::max_stack_size) {
    options.stack_size = std::bit_ceil(stack_size);
  }  // else to be refused
  for (auto& pool : pools_) {
    if (pool->stack_size() == options.stack_size) return *pool;
  }
  pools_.push_back(std::make_unique<StackPool>(options));
  return *pools_.back();
}

Fiber& Scheduler::make_fiber(impl::Job& job) {
  StackPool& pool = *job.pool;
  const Stack stack = pool.take();
  if (pool.guard_mode() == GuardMode::canary)
    has_canaries = careful = true;  // it may have had to fall back
  static_assert(sizeof(Fiber) % 64 == 0);
  auto* fiber = new (stack.top - sizeof(Fiber)) Fiber;
  fiber->job_ = &job;
  fiber->core_ = this;
  fiber->pool_ = &pool;
  fiber->stack_ = {stack.low, reinterpret_cast<std::byte*>(fiber)};
  fiber->tool_ = {stack.low, static_cast<std::size_t>(stack.top - stack.low), nullptr};
  impl::sanitizers::create(fiber->tool_);
  impl::place_first_frame(fiber->saved_, reinterpret_cast<std::byte*>(fiber), &fiber_main, fiber,
                          hub.saved_.control);
  link(*fiber);
  return *fiber;
}

void Scheduler::link(Fiber& fiber) noexcept {
  fiber.next_ = fibers_;
  if (fibers_ != nullptr) fibers_->previous_ = &fiber;
  fibers_ = &fiber;
}

void Scheduler::unlink(Fiber& fiber) noexcept {
  if (fiber.next_ != nullptr) fiber.next_->previous_ = fiber.previous_;
  (fiber.previous_ != nullptr ? fiber.previous_->next_ : fibers_) = fiber.next_;
}

/// A fiber for the job: the spare one, or a new one on a stack from the pool.
Fiber& Scheduler::begin(impl::Job& job) {
  if (spare_ == nullptr || job.pool != usual_pool_) return make_fiber(job);
  Fiber& fiber = *spare_;
  spare_ = nullptr;
  fiber.job_ = &job;
  fiber.saved_.control = hub.saved_.control;
  return fiber;
}

/// The same, or null if there is no stack and the job takes that as its end.
Fiber* Scheduler::begin_or_end(impl::Job& job) {
  try {
    return &begin(job);
  } catch (const std::bad_alloc&) {
    if (!job.end_without_stack()) throw;
  }
  ready.give_up();
  --alive_;
  job.dispose();
  return nullptr;
}

/// The same, for a job that was not in the ready queue. Throws ResourceError, disposes of nothing.
Fiber& Scheduler::begin_apart(impl::Job& job) {
  ready.reserve();
  try {
    Fiber& fiber = begin(job);
    ++alive_;
    return fiber;
  } catch (...) {
    ready.give_up();
    throw;
  }
}

/// So that between two runs every stack that nobody uses is in its pool.
void Scheduler::drop_spare() noexcept {
  if (spare_ == nullptr) return;
  Fiber& fiber = *spare_;
  spare_ = nullptr;
  transfer<impl::switch_inlined>(hub, fiber);
}

__attribute__((no_sanitize("thread"))) void Scheduler::leave(Fiber& done, Fiber& to) noexcept {
  adopt(to);
  impl::sanitizers::leaving(done.tool_, to.tool_, true);
  impl::jumpcut_leave(&to.saved_, nullptr, &give_back, &done);
}

/// On top of the next fiber's stack: nobody gives back the stack that it stands on.
void Scheduler::give_back(void* argument) noexcept {
  auto& fiber = *static_cast<Fiber*>(argument);
  static_cast<Scheduler*>(fiber.core_)->unlink(fiber);
  impl::sanitizers::destroy(fiber.tool_);
  fiber.pool_->give_back({fiber.stack_.low, fiber.stack_.top + sizeof(Fiber)});
}

}  // namespace jumpcut::lowlevel
