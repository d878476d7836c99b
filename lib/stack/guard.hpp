// What lies below each stack, and the proof that it works here
// (lib/decisions/0003-stack-guards.md).

#pragma once

#include <jumpcut/lowlevel/stack_pool.hpp>

#include "stack/pages.hpp"

#include <cstddef>

namespace jumpcut::impl {

/// 64 KiB: large enough for the frame that legacy code, compiled without probes, may put below the
/// stack's end in one step, and what AArch64's compilers assume. And one page: as stacks have an
/// even number of pages, slots have an odd one, and the pages that fibers park in spread over all
/// sets of the TLB.
inline std::size_t guard_size() noexcept {
  return 64 * 1024 + page_size();
}

/// Whether a guard of this mode makes access fail, tried once a process. A canary always "works".
bool guard_works(lowlevel::GuardMode mode) noexcept;

/// The best one that works.
lowlevel::GuardMode best_guard() noexcept;

const char* guard_name(lowlevel::GuardMode mode) noexcept;

/// Installs a guard over [guard, guard + guard_size()); 0, or an errno.
int install_guard(lowlevel::GuardMode mode, std::byte* guard) noexcept;

/// The canary is the last bytes of the guard of the stack at `low`.
void paint_canary(std::byte* low) noexcept;
bool canary_untouched(const std::byte* low) noexcept;

/// With JUMPCUT_DEBUG=1, once a process: a line that says which guard is in use and why.
void announce_guard(lowlevel::GuardMode asked, lowlevel::GuardMode active) noexcept;

}  // namespace jumpcut::impl
