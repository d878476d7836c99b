#pragma once

#include <jumpcut/impl/export.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>

#include <cstddef>

namespace jumpcut::lowlevel {

/// Who runs on a stack: writes a name into `buffer`, cut to `size` bytes and not terminated, and
/// returns its length, 0 if nobody is known. Called in a signal handler, on whatever thread
/// overflowed: it takes no lock, allocates nothing, and reads what may be read at any time.
using StackNamer = std::size_t (*)(const Stack& stack, char* buffer, std::size_t size) noexcept;

/// Sets the function that finds names for overflow messages, for the whole process, and returns the
/// one before it, or null. Schedulers that share a process ask the one before them about stacks
/// that are not theirs.
JUMPCUT_API StackNamer name_stacks_with(StackNamer namer) noexcept;

/// If `address` lies in the guard of a pooled stack, writes the line that
/// install_overflow_handler() would print, cut to `size` bytes, ending in a newline and not
/// terminated. Returns its length; 0 if the address is none of ours. For hosts with a SIGSEGV
/// handler of their own: pass si_addr. Takes no lock, allocates nothing, keeps errno: may be called
/// in a signal handler.
JUMPCUT_API std::size_t describe_fault(const void* address, char* buffer,
                                       std::size_t size) noexcept;

/// Installs a SIGSEGV handler for the whole process: a stack that is used up gets one line on
/// standard error that says whose it was, how large, and what to do. Then, and for every other
/// fault, it goes on with the handler that was there before, as if that one had been called by the
/// system; where there was none, the fault ends the process as it always does.
///
/// Does nothing if it is installed already, or if JUMPCUT_OVERFLOW=off is in the environment. A
/// handler that is installed later comes first, and ours is reached only if that one calls what it
/// replaced. Throws std::system_error if the system refuses. Any thread may call it.
///
/// Each thread whose stacks may overflow also needs an alternate stack: ensure_alternate_stack().
JUMPCUT_API void install_overflow_handler();

/// Puts back the handler from before. Does nothing if ours is not the installed one: not installed,
/// or replaced by one that may still call it.
JUMPCUT_API void uninstall_overflow_handler() noexcept;

/// Gives the calling thread an alternate signal stack, with a guard of its own, until the thread
/// ends; the overflow handler runs on it, because the stack that overflowed has no room left. Does
/// nothing on a thread that has one of alternate_stack_size() or more. Throws ResourceError.
JUMPCUT_API void ensure_alternate_stack();

/// 64 KiB, or four times what this machine needs to enter a handler at all, whichever is more:
/// hosts' own handlers run on it too.
JUMPCUT_API std::size_t alternate_stack_size() noexcept;

}  // namespace jumpcut::lowlevel
