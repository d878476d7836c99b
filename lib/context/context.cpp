#include <jumpcut/lowlevel/context.hpp>

#include <jumpcut/error.hpp>

#include "base/sanitizers.hpp"
#include "context/first_frame.hpp"
#include "context/on_top.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace jumpcut::lowlevel {

static_assert(impl::sanitizers::announced == impl::Config::announced_switch,
              "Meson's b_sanitize and the compiler's flags must agree");

Context::Context() noexcept = default;

Context::Context(std::span<std::byte> stack, Entry entry, void* argument)
    : stack_{stack.data(), stack.size(), nullptr}, entry_(entry), argument_(argument) {
  if (entry == nullptr) throw ValueError("Context: the entry function is null");
  if (stack.size() < min_stack_size()) {
    throw ValueError("Context: a stack of " + std::to_string(stack.size()) +
                     " bytes is too small: at least " + std::to_string(min_stack_size()));
  }
  auto address = reinterpret_cast<std::uintptr_t>(stack.data() + stack.size());
  std::byte* top = stack.data() + (stack.size() - address % 16);
  if constexpr (impl::sanitizers::announced) {
    impl::sanitizers::unpoison(stack.data(), stack.size());  // who was there may be parked for ever
    impl::sanitizers::create(stack_);
    impl::place_first_frame(saved_, top, &Context::announced_entry, this);
  } else {
    impl::sanitizers::borrow_stack(stack_);
    impl::place_first_frame(saved_, top, entry, argument);
  }
}

Context::~Context() {
  if constexpr (impl::sanitizers::announced) {
    impl::sanitizers::destroy(stack_);
  } else {
    impl::sanitizers::hand_back_stack(stack_);
  }
}

std::size_t Context::min_stack_size() noexcept {
  static const std::size_t size = 4096 + std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 4096);
  return size;
}

void Context::announced_entry(void* context, void* message) {
  auto& self = *static_cast<Context*>(context);
  impl::sanitizers::arrived(self.stack_);
  self.entry_(self.argument_, message);
}

__attribute__((no_sanitize("thread"))) void* Context::switch_announced(Context& to,
                                                                       void* message) noexcept {
  impl::sanitizers::leaving(stack_, to.stack_);
  message = impl::jumpcut_switch(&saved_, &to.saved_, message);
  impl::sanitizers::arrived(stack_);
  return message;
}

__attribute__((no_sanitize("thread"))) void Context::leave_to(Context& to, void* message,
                                                              void (*function)(void*) noexcept,
                                                              void* argument) noexcept {
  impl::sanitizers::leaving(stack_, to.stack_, true);
  impl::jumpcut_leave(&to.saved_, message, function, argument);
}

void Context::run_on_top(void (*function)(void*) noexcept, void* argument) noexcept {
  impl::run_on_top(saved_, stack_, function, argument);
}

}  // namespace jumpcut::lowlevel
