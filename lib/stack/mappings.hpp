// Address space for stacks, and what the system's limits leave of it: the host's malloc, dlopen and
// threads live on the same limits, so some of each is left to them.

#pragma once

#include <cstddef>

namespace jumpcut::impl {

/// Maps `bytes` of zeroes that take memory only when touched, and makes sure that as much again as
/// a busy malloc asks for could still be had. Null, with errno set, if not.
std::byte* map_stacks(std::size_t bytes) noexcept;

/// Throws the ResourceError that tells which limit refused `bytes` of stacks with errno `error`.
[[noreturn]] void throw_no_stacks(std::size_t bytes, int error);

/// Before a stack gets an mprotect guard: counts its mappings against vm.max_map_count, for the
/// whole process. Throws ResourceError when too few would be left to the host.
void claim_guard_mappings();

/// Stacks with such guards are unmapped.
void release_guard_mappings(std::size_t guards) noexcept;

}  // namespace jumpcut::impl
