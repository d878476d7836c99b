// Backtraces as a list of functions, and the one of a signal handler from the interrupted
// instruction outward. Safe in a signal handler once warm_up() has run.

#pragma once

#include <cstddef>
#include <cstdint>

namespace unwinding {

struct Frame {
  void* pc;
  void* function;     // where its unwind information begins
  std::uintptr_t sp;  // the stack pointer in this frame
};

struct Trace {
  static constexpr int most = 64;
  Frame frames[most];
  int depth = 0;

  /// The index of `function` at or after `from`, or -1.
  int find(const void* function, int from = 0) const;
};

/// What to ask of one register of a frame (DWARF numbers), while the unwinder is there.
struct Probe {
  void* function = nullptr;      // in the first frame of this function ...
  int count = 0;                 // ... read so many
  const int* numbers = nullptr;  // of these
  std::uint64_t values[16] = {};
  int frame = -1;  // where it was found
};

/// From the caller outward.
Trace trace(Probe* probe = nullptr);

/// Where the unwind information of jumpcut_entry begins: at the nop before it.
void* entry_function();

/// The instruction that a signal interrupted.
void* interrupted(const void* ucontext);

/// The first backtrace of a process loads and allocates.
void warm_up();

/// A signal handler on an alternate stack, taken back by the destructor.
class Handler {
 public:
  Handler(int signal, void (*handler)(int, void* ucontext));
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  ~Handler();

 private:
  int signal_;
};

}  // namespace unwinding
