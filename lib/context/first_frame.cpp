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

void place_first_frame(Saved& saved, std::byte* top, void (*entry)(void*, void*),
                       void* argument) noexcept {
  auto* frame = reinterpret_cast<FirstFrame*>(top) - 1;
  *frame = {argument, nullptr};
  saved = {.sp = frame,
           .pc = reinterpret_cast<void*>(&jumpcut_entry),
           .fp = nullptr,
           .base = reinterpret_cast<void*>(entry),
           .control = current_control()};
}

// A switch to oneself stores the control words on its way and comes right back.
std::uint64_t current_control() noexcept {
  Saved here{};
  jumpcut_switch(&here, &here, nullptr);
  return here.control;
}

}  // namespace jumpcut::impl
