// The one place that asks which sanitizer is on, and the one place that talks to it. In a build
// without any, every function here is empty and Announced is false.

#pragma once

#include <jumpcut/impl/saved.hpp>

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

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define JUMPCUT_VALGRIND 1
#endif

#include <cstddef>

namespace jumpcut::impl::sanitizers {

#if defined(JUMPCUT_ASAN) || defined(JUMPCUT_TSAN)
constexpr bool announced = true;
#else
constexpr bool announced = false;
#endif

/// Whether poison() and unpoison() do anything.
#ifdef JUMPCUT_ASAN
constexpr bool poisons_stacks = true;
#else
constexpr bool poisons_stacks = false;
#endif

/// Fills in the bounds of the thread's own stack. Only ever called in announced builds.
void describe_thread_stack(ToolStack& stack) noexcept;

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
  if (to.low == nullptr) describe_thread_stack(to);
  __sanitizer_start_switch_fiber(for_good ? nullptr : &from.tool, to.low, to.size);
#endif
#ifdef JUMPCUT_TSAN
  if (from.tool == nullptr) from.tool = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tool, 0);
#endif
}

/// Just after it, on the other side: `stack` is the one that runs again.
[[gnu::always_inline]] inline void arrived([[maybe_unused]] ToolStack& stack) noexcept {
#ifdef JUMPCUT_ASAN
  __sanitizer_finish_switch_fiber(stack.tool, nullptr, nullptr);
#endif
}

/// Memory becomes a stack for the first time. Not its guard: LeakSanitizer reads all of it.
inline void register_stack([[maybe_unused]] std::byte* low,
                           [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __lsan_register_root_region(low, size);
#endif
#ifdef JUMPCUT_VALGRIND
  if (RUNNING_ON_VALGRIND != 0) VALGRIND_STACK_REGISTER(low, low + size);
#endif
}

/// The memory of a registered stack is about to be unmapped.
inline void forget_stack([[maybe_unused]] std::byte* low,
                         [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_unpoison_memory_region(low, size);
  __lsan_unregister_root_region(low, size);
#endif
}

/// A stack goes into the pool: whoever touches it now is reported.
inline void poison([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_poison_memory_region(low, size);
#endif
}

/// A stack comes out of the pool, without what its last owner left in the shadow.
inline void unpoison([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef JUMPCUT_ASAN
  __asan_unpoison_memory_region(low, size);
#endif
}

}  // namespace jumpcut::impl::sanitizers
