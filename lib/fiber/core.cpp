#include <jumpcut/impl/core.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "base/check.hpp"
#include "base/sanitizers.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include <cxxabi.h>

namespace jumpcut::impl {

constinit thread_local Core* this_core = nullptr;

// The C++ ABI fixes what a thread's exception globals hold: a pointer and an unsigned, padded.
static_assert(sizeof(ExceptionState) == 2 * sizeof(void*));

Core::Core() noexcept
    : running(&hub),
      exceptions(reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals())),
      error_number(&errno) {
  hub.core_ = this;
}

[[gnu::hot]] bool Core::next_batch_by_hand() noexcept {
  if (!on_hub() && !running->pool_->canary_intact(running->stack_)) {
    fail("stack overflow in fiber '%s': it wrote below its stack of %zu bytes [%p, %p)",
         running->name().c_str(), running->pool_->stack_size(),
         static_cast<void*>(running->stack_.low), static_cast<void*>(running->stack_.top));
  }
  if ((attention.load(std::memory_order_relaxed) & aside) != 0) return false;
  if (observer != nullptr) observer->ended();
  if (ready.head == tick_end) {
    if (attention.load(std::memory_order_relaxed) != 0) return false;
    ++ticks;
    tick_end = ready.tail;
    if (ready.empty()) return false;
  }
  batch_end = ready.head + 1;  // this is careful, or the tick would have gone on without
  if (observer != nullptr) observer->begins(ready.front());
  return true;
}

lowlevel::Fiber& Core::next_by_hand() noexcept {
  const Entry entry = ready.front();
  if (!entry.is_job()) return hub;
  auto& scheduler = *static_cast<lowlevel::Scheduler*>(this);
  if (entry.job().withdrawn) [[unlikely]] {
    scheduler.end_withdrawn(entry.job());
    return next();
  }
  try {
    Fiber& fiber = scheduler.begin(entry.job());
    ready.pop();
    return fiber;
  } catch (const std::bad_alloc&) {
    return hub;  // which tries again, and throws out of run()
  }
}

__attribute__((no_sanitize("thread"))) void Core::announced_switch(Fiber& from,
                                                                   Fiber& to) noexcept {
  sanitizers::leaving(from.tool_, to.tool_);
  jumpcut_switch(&from.saved_, &to.saved_, nullptr);
  sanitizers::arrived(from.tool_);
}

void call_on_hub(const char* name, void (*function)(void*) noexcept, void* argument) {
  Core& core = core_of_fiber(name);
  core.hub_call = {function, argument, core.running};
  core.transfer<switch_inlined>(*core.running, core.hub);
}

void throw_no_scheduler() {
  throw RuntimeError("Scheduler::current: this thread has no scheduler; make one first");
}

void throw_outside_fiber(const char* call) {
  throw RuntimeError(std::string(call) +
                     " outside a fiber: only code that runs on a fiber can stop and go on; start "
                     "it by Scheduler::spawn");
}

void throw_wrong_thread(const char* call, const lowlevel::Fiber& fiber) {
  throw RuntimeError(std::string(call) + ": fiber '" + fiber.name() +
                     "' belongs to the scheduler of another thread, and goes on only there: have "
                     "that thread make the call");
}

void throw_second_park(const lowlevel::Fiber& fiber) {
  throw RuntimeError("park: fiber '" + fiber.name() +
                     "' is parked on this Wait already: each fiber waits on a Wait of its own");
}

void throw_null_function(const char* call) {
  throw ValueError(std::string(call) + ": the function is null");
}

ReadyQueue::~ReadyQueue() {
  delete[] slots;
}

void ReadyQueue::grow() {
  const std::uint64_t capacity = slots == nullptr ? 256 : 2 * (mask + 1);
  auto* fresh = new Entry[capacity];
  // Without slots, head is tail. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
  for (std::uint64_t i = head; i != tail; ++i) fresh[i & (capacity - 1)] = slots[i & mask];
  delete[] slots;
  slots = fresh;
  mask = capacity - 1;
}

}  // namespace jumpcut::impl
