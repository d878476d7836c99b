#include "sanitizers.hpp"

#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include <pthread.h>

// Each sanitizer's runtime has this function, and the program has it if it runs under that one.
extern "C" {
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the runtime's name
[[gnu::weak, gnu::visibility("default")]] void __asan_init();
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the runtime's name
[[gnu::weak, gnu::visibility("default")]] void __tsan_init();
}

namespace jumpcut::impl::sanitizers {

void warn_if_unannounced() noexcept {
  if (announced || (&__asan_init == nullptr && &__tsan_init == nullptr)) return;
  static std::atomic<bool> warned{false};
  if (warned.exchange(true)) return;
  const bool address = &__asan_init != nullptr;
  warn(
      "this program runs under %s, but libjumpcut was built without it: build it with "
      "-Db_sanitize=%s, or switches will confuse it",
      address ? "AddressSanitizer" : "ThreadSanitizer", address ? "address" : "thread");
}

const ToolStack& thread_stack() noexcept {
  constinit static thread_local ToolStack stack;
  if (stack.low != nullptr) return stack;
  pthread_attr_t attributes;
  // Without memory for the answer, what the stack's frames own may be taken for leaked.
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return stack;
  void* low = nullptr;
  pthread_attr_getstack(&attributes, &low, &stack.size);
  pthread_attr_destroy(&attributes);
  stack.low = static_cast<std::byte*>(low);
  return stack;
}

void change_fake_stack([[maybe_unused]] const ToolStack& stack,
                       [[maybe_unused]] void* before) noexcept {
#ifdef JUMPCUT_ASAN
  // Some bytes for flags, then one region for each of eleven sizes of frames (compiler-rt,
  // asan_fake_stack.h).
  const std::size_t region =
      std::clamp(std::bit_ceil(stack.size), std::size_t{1} << 16, std::size_t{1} << 20);
  const std::size_t size = 4096 + region / 32 + 11 * region;
  if (before != nullptr) __lsan_unregister_root_region(before, size);
  if (stack.tool != nullptr) __lsan_register_root_region(stack.tool, size);
#endif
}

}  // namespace jumpcut::impl::sanitizers
