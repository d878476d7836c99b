// The one place that asks which sanitizer is on, and the one place that talks to it. In a build
// without any, every function here is empty and Announced is false.

#pragma once

#include <jumpcut/impl/saved.hpp>

#include <csignal>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JUMPCUT_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define JUMPCUT_TSAN 1
#endif
#if __has_feature(safe_stack)
#error "SafeStack keeps a second stack pointer that jumpcut does not switch: build without it"
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define JUMPCUT_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define JUMPCUT_TSAN 1
#endif

#ifdef JUMPCUT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef JUMPCUT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define JUMPCUT_VALGRIND 1
#endif

#include <cstddef>
#include <cstdint>

namespace jumpcut::impl::sanitizers {

#if defined(JUMPCUT_ASAN) || defined(JUMPCUT_TSAN)
constexpr bool announced = true;
#else
constexpr bool announced = false;
#endif

/// Whether Valgrind's memcheck looks at every access; its other tools take part in nothing here.
inline bool on_memcheck() noexcept {
#ifdef JUMPCUT_VALGRIND
  const char byte = 0;
  return static_cast<int>(VALGRIND_MAKE_MEM_DEFINED(&byte, 1)) == -1;
#else
  return false;
#endif
}

/// Whether the program runs under any tool of Valgrind's, which has descriptors of its own.
inline bool on_valgrind() noexcept {
#ifdef JUMPCUT_VALGRIND
  return RUNNING_ON_VALGRIND != 0;
#else
  return false;
#endif
}

/// Whether poison() and unpoison() do anything, in this process.
inline bool poisons_stacks() noexcept {
#ifdef JUMPCUT_ASAN
  return true;
#else
  return on_memcheck();
#endif
}

/// One line on standard error, once, if the program runs under a sanitizer that knows nothing of
/// our switches because the library was built without it.
void warn_if_unannounced() noexcept;

/// Threads that the sanitizer runs in every process.
#if defined(JUMPCUT_TSAN)
inline constexpr int own_threads = 1;
#else
inline constexpr int own_threads = 0;
#endif

/// ThreadSanitizer holds a signal back until the stack that it came on makes a call that it knows.
/// What is held for a stack that is left would stay there, so while one lives no signal comes, and
/// those that were held have had their handlers called. epoll_pwait2 is no call that it knows.
#ifdef JUMPCUT_TSAN
inline constexpr bool holds_signals = true;

class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

[[gnu::always_inline]] inline void switch_tool(void* to) noexcept {
  const NoSignals held_back;
  __tsan_switch_to_fiber(to, 0);
}
#else
inline constexpr bool holds_signals = false;
#endif

/// The bounds of the thread's own stack, or none if they can't be had; some microseconds the first
/// time.
const ToolStack& thread_stack() noexcept;

/// The stack that was left last on this thread, not for good.
constinit inline thread_local ToolStack* left = nullptr;

/// `stack`, whose ASan's fake stack was `before`, has the one in stack.tool now. What only a parked
/// stack's fake stack points to is not leaked, so LeakSanitizer is told where it is.
void change_fake_stack(const ToolStack& stack, void* before) noexcept;

/// A stack is about to run its first frame.
inline void create(ToolStack& stack) noexcept {
#ifdef JUMPCUT_TSAN
  stack.tool = __tsan_create_fiber(0);
#else
  stack.tool = nullptr;
#endif
}

/// Nothing will run on it any more.
inline void destroy([[maybe_unused]] ToolStack& stack) noexcept {
#ifdef JUMPCUT_ASAN
  void* fake = stack.tool;
  stack.tool = nullptr;
  change_fake_stack(stack, fake);
#endif
#ifdef JUMPCUT_TSAN
  if (stack.tool != nullptr && stack.low != nullptr) __tsan_destroy_fiber(stack.tool);
  stack.tool = nullptr;
#endif
}

/// Just before the switch, in the same function.
[[gnu::always_inline]] inline void leaving([[maybe_unused]] ToolStack& from,
                                           [[maybe_unused]] ToolStack& to,
                                           [[maybe_unused]] bool for_good = false) noexcept {
#ifdef JUMPCUT_ASAN
  left = for_good ? nullptr : &from;
  void* fake = from.tool;
  if (for_good) from.tool = nullptr;
  __sanitizer_start_switch_fiber(for_good ? nullptr : &from.tool, to.low, to.size);
  if (from.tool != fake && from.low != nullptr) change_fake_stack(from, fake);
#endif
#ifdef JUMPCUT_TSAN
  if (from.tool == nullptr) from.tool = __tsan_get_current_fiber();
  switch_tool(to.tool);
#endif
}

/// Just after it, on the other side: `stack` is the one that runs again. ASan tells here where the
/// stack was that was left, if that was one we did not make.
[[gnu::always_inline]] inline void arrived([[maybe_unused]] ToolStack& stack) noexcept {
#ifdef JUMPCUT_ASAN
  const void* low = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(stack.tool, &low, &size);
  if (left != nullptr && left->low == nullptr) {
    left->low = static_cast<std::byte*>(const_cast<void*>(low));
    left->size = size;
    change_fake_stack(*left, nullptr);
  }
#endif
}

/// A function that runs on top of a parked stack and comes back.
struct Visit {
  ToolStack& visited;
  ToolStack visitor = {};
};

/// Just before it, on the visitor's stack.
[[gnu::always_inline]] inline void visit_begins([[maybe_unused]] Visit& visit) noexcept {
#ifdef JUMPCUT_ASAN
  __sanitizer_start_switch_fiber(&visit.visitor.tool, visit.visited.low, visit.visited.size);
#endif
#ifdef JUMPCUT_TSAN
  visit.visitor.tool = __tsan_get_current_fiber();
  switch_tool(visit.visited.tool);
#endif
}

/// First on the visited stack.
[[gnu::always_inline]] inline void visit_arrives([[maybe_unused]] Visit& visit) noexcept {
#ifdef JUMPCUT_ASAN
  const void* low = nullptr;
  __sanitizer_finish_switch_fiber(visit.visited.tool, &low, &visit.visitor.size);
  visit.visitor.low = static_cast<std::byte*>(const_cast<void*>(low));
#endif
}

/// Last on the visited stack.
[[gnu::always_inline]] inline void visit_leaves([[maybe_unused]] Visit& visit) noexcept {
#ifdef JUMPCUT_ASAN
  void* fake = visit.visited.tool;
  __sanitizer_start_switch_fiber(&visit.visited.tool, visit.visitor.low, visit.visitor.size);
  if (visit.visited.tool != fake) change_fake_stack(visit.visited, fake);
#endif
}

/// Back on the visitor's stack.
[[gnu::always_inline]] inline void visit_ends([[maybe_unused]] Visit& visit) noexcept {
#ifdef JUMPCUT_ASAN
  __sanitizer_finish_switch_fiber(visit.visitor.tool, nullptr, nullptr);
#endif
#ifdef JUMPCUT_TSAN
  switch_tool(visit.visitor.tool);
#endif
}

/// Memory becomes a stack for the first time. Not its guard: LeakSanitizer reads all of it. Returns
/// what forget_stack() asks for, or 0.
inline unsigned register_stack([[maybe_unused]] std::byte* low,
                               [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __lsan_register_root_region(low, size);
#endif
#ifdef JUMPCUT_VALGRIND
  if (RUNNING_ON_VALGRIND != 0) return VALGRIND_STACK_REGISTER(low, low + size) + 1;
#endif
  return 0;
}

/// The memory of a registered stack is about to be unmapped.
inline void forget_stack([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t size,
                         [[maybe_unused]] unsigned id) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_unpoison_memory_region(low, size);
  __lsan_unregister_root_region(low, size);
#endif
#ifdef JUMPCUT_VALGRIND
  if (id != 0) VALGRIND_STACK_DEREGISTER(id - 1);
#endif
}

/// register_stack() for a stack that is the host's memory: who scans that for leaks knows it.
inline void borrow_stack([[maybe_unused]] ToolStack& stack) noexcept {
#ifdef JUMPCUT_VALGRIND
  if (RUNNING_ON_VALGRIND == 0) return;
  const std::uintptr_t id = VALGRIND_STACK_REGISTER(stack.low, stack.low + stack.size) + 1;
  stack.tool = reinterpret_cast<void*>(id);
#endif
}

/// forget_stack() for one that was borrowed.
inline void hand_back_stack([[maybe_unused]] ToolStack& stack) noexcept {
#ifdef JUMPCUT_VALGRIND
  if (stack.tool != nullptr && RUNNING_ON_VALGRIND != 0) {
    VALGRIND_STACK_DEREGISTER(reinterpret_cast<std::uintptr_t>(stack.tool) - 1);
  }
#endif
}

/// A stack goes into the pool: whoever touches it now is reported.
inline void poison([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_poison_memory_region(low, size);
#endif
#ifdef JUMPCUT_VALGRIND
  VALGRIND_MAKE_MEM_NOACCESS(low, size);
#endif
}

/// A stack comes out of the pool, without what its last owner left in the shadow.
inline void unpoison([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_unpoison_memory_region(low, size);
#endif
#ifdef JUMPCUT_VALGRIND
  VALGRIND_MAKE_MEM_DEFINED(low, size);
#endif
}

/// While it lives, this thread may read what no frame owns. ASan needs an attribute for that.
class ReadsDeadFrames {
 public:
  ReadsDeadFrames() noexcept {
#ifdef JUMPCUT_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
  }
  ReadsDeadFrames(const ReadsDeadFrames&) = delete;
  ReadsDeadFrames& operator=(const ReadsDeadFrames&) = delete;
  ~ReadsDeadFrames() {
#ifdef JUMPCUT_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
  }
};

/// While it lives, the thread's own stack may be parked: what its frames from here outward own is
/// not leaked if the process ends on a fiber.
class KeepsThreadStack {
 public:
  [[gnu::always_inline]] KeepsThreadStack() noexcept {
#ifdef JUMPCUT_ASAN
    const ToolStack& stack = thread_stack();
    // Registers are saved a little below the frame.
    auto* low = static_cast<std::byte*>(__builtin_frame_address(0)) - 1024;
    if (low < stack.low || low >= stack.low + stack.size) return;
    low_ = low;
    size_ = static_cast<std::size_t>(stack.low + stack.size - low);
    __lsan_register_root_region(low_, size_);
#endif
  }
  KeepsThreadStack(const KeepsThreadStack&) = delete;
  KeepsThreadStack& operator=(const KeepsThreadStack&) = delete;
  ~KeepsThreadStack() {
#ifdef JUMPCUT_ASAN
    if (size_ != 0) __lsan_unregister_root_region(low_, size_);
#endif
  }

 private:
  [[maybe_unused]] std::byte* low_ = nullptr;
  [[maybe_unused]] std::size_t size_ = 0;
};

}  // namespace jumpcut::impl::sanitizers
