// The stack that a signal handler runs on when the thread's own, or a fiber's, is used up.

#include <jumpcut/lowlevel/overflow.hpp>

#include <jumpcut/error.hpp>

#include "stack/pages.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace jumpcut::lowlevel {

namespace {

class AlternateStack {
 public:
  AlternateStack() = default;
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

  // The last guest leaves: whoever had put another stack there knows no better at a thread's end.
  ~AlternateStack() {
    if (memory_ == nullptr) return;
    stack_t now{};
    if (sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_ONSTACK) != 0) return;
    if (now.ss_sp == memory_ + impl::page_size()) {
      if ((before_.ss_flags & SS_DISABLE) != 0) before_ = {nullptr, SS_DISABLE, 0};
      if (sigaltstack(&before_, nullptr) != 0) return;
    }
    munmap(memory_, impl::page_size() + alternate_stack_size());
  }

  void ensure() {
    stack_t now{};
    std::size_t size = alternate_stack_size();
    if (sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0 &&
        now.ss_size >= size) {
      return;
    }
    if (memory_ == nullptr) {
      map(impl::page_size(), size);
      before_ = now;
    }
    stack_t ours{};
    ours.ss_sp = memory_ + impl::page_size();
    ours.ss_size = size;
    if (sigaltstack(&ours, nullptr) != 0) {
      throw ResourceError("no alternate signal stack: sigaltstack: %s", std::strerror(errno));
    }
  }

 private:
  void map(std::size_t guard, std::size_t size) {
    void* memory = mmap(nullptr, guard + size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
      throw ResourceError("no alternate signal stack: mapping %zu bytes failed: %s", guard + size,
                          std::strerror(errno));
    }
    (void)mprotect(memory, guard, PROT_NONE);
    memory_ = static_cast<std::byte*>(memory);
  }

  std::byte* memory_ = nullptr;  // a guard, and the stack
  stack_t before_{};
};

thread_local AlternateStack alternate_stack;

}  // namespace

void ensure_alternate_stack() {
  alternate_stack.ensure();
}

std::size_t alternate_stack_size() noexcept {
  static const std::size_t size = [] {
    std::size_t wanted = std::max<std::size_t>(64 * 1024, 4 * getauxval(AT_MINSIGSTKSZ));
    return (wanted + impl::page_size() - 1) / impl::page_size() * impl::page_size();
  }();
  return size;
}

}  // namespace jumpcut::lowlevel
