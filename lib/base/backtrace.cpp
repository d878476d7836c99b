#include "backtrace.hpp"

#include <unwind.h>

namespace jumpcut::impl {

namespace {

struct Walk {
  std::span<std::uintptr_t> into;
  std::size_t skipped;    // frames still to be left out
  bool waits_for_signal;  // until a frame that a signal interrupted
  std::size_t count = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  int interrupted = 0;
  std::uintptr_t pc = _Unwind_GetIPInfo(context, &interrupted);
  if (pc == 0) return _URC_END_OF_STACK;  // libgcc shows the end as a frame of its own
  if (walk.skipped > 0) {
    --walk.skipped;
    return _URC_NO_REASON;
  }
  if (interrupted != 0) {
    walk.waits_for_signal = false;
  } else {
    --pc;
  }
  if (walk.waits_for_signal) return _URC_NO_REASON;
  if (walk.count < walk.into.size()) walk.into[walk.count] = pc;
  ++walk.count;
  return _URC_NO_REASON;
}

}  // namespace

[[gnu::noinline]] std::size_t backtrace(std::span<std::uintptr_t> into) noexcept {
  Walk walk{into, 1, false};
  _Unwind_Backtrace(visit, &walk);
  return walk.count;
}

[[gnu::noinline]] std::size_t backtrace_interrupted(std::span<std::uintptr_t> into) noexcept {
  Walk walk{into, 1, true};
  _Unwind_Backtrace(visit, &walk);
  return walk.count;
}

}  // namespace jumpcut::impl
