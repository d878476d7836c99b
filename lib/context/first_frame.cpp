#include "first_frame.hpp"

#include "base/check.hpp"

namespace jumpcut::impl {

namespace {

struct FirstFrame {
  void* argument;
  void* end;
};
static_assert(sizeof(FirstFrame) == 16,
              "the entry function finds the stack aligned as a call does");

}  // namespace

// Called by jumpcut_entry, never seen by anybody else.
extern "C" [[noreturn]] void jumpcut_entry_returned() noexcept;
void jumpcut_entry_returned() noexcept {
  fail(
      "the entry function of a lowlevel::Context returned: its last act must be a switch "
      "(Context::leave_to)");
}

void place_first_frame(Saved& saved, std::byte* top, void (*entry)(void*, void*), void* argument,
                       std::uint64_t control) noexcept {
  auto* frame = reinterpret_cast<FirstFrame*>(top) - 1;
  *frame = {argument, nullptr};
  saved = {.sp = frame,
           .pc = reinterpret_cast<void*>(&jumpcut_entry),
           .fp = nullptr,
           .base = reinterpret_cast<void*>(entry),
           .control = control};
}

}  // namespace jumpcut::impl
