#include "fiber_name.hpp"

#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/job.hpp>
#include <jumpcut/lowlevel/overflow.hpp>

#include <atomic>
#include <charconv>
#include <cstring>

namespace jumpcut::impl {

/// Reads only what the faulting thread owns: its running fiber and that one's job.
struct FiberName {
  static std::size_t of_overflowed(const lowlevel::Stack& stack, char* buffer,
                                   std::size_t size) noexcept {
    const Core* core = this_core;
    if (core == nullptr || core->on_hub() || core->running->stack_.low != stack.low ||
        core->running->job_ == nullptr) {
      const lowlevel::StackNamer next = before.load(std::memory_order_relaxed);
      return next == nullptr ? 0 : next(stack, buffer, size);
    }
    const Job& job = core->running->job_->namesake();
    if (job.name == nullptr) {
      const std::size_t length = std::strlen(job.prefix());
      if (size < length) return 0;
      std::memcpy(buffer, job.prefix(), length);
      return static_cast<std::size_t>(
          std::to_chars(buffer + length, buffer + size, job.number).ptr - buffer);
    }
    const std::size_t length = std::strlen(job.name);
    std::memcpy(buffer, job.name, length < size ? length : size);
    return length < size ? length : size;
  }

  static constinit inline std::atomic<lowlevel::StackNamer> before{nullptr};
};

void name_overflowing_fibers() noexcept {
  const lowlevel::StackNamer before = lowlevel::name_stacks_with(&FiberName::of_overflowed);
  if (before != &FiberName::of_overflowed) {
    FiberName::before.store(before, std::memory_order_relaxed);
  }
}

std::size_t name_of_running(const Core& core, char* buffer, std::size_t size) noexcept {
  return FiberName::of_overflowed(core.running->stack(), buffer, size);
}

}  // namespace jumpcut::impl
