#include "sanitizers.hpp"

#include "check.hpp"

#include <pthread.h>

namespace jumpcut::impl::sanitizers {

void describe_thread_stack(ToolStack& stack) noexcept {
  pthread_attr_t attributes;
  JUMPCUT_CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0, "the thread has a stack");
  void* low = nullptr;
  pthread_attr_getstack(&attributes, &low, &stack.size);
  pthread_attr_destroy(&attributes);
  stack.low = static_cast<std::byte*>(low);
}

}  // namespace jumpcut::impl::sanitizers
