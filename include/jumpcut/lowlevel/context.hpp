#pragma once

#include <jumpcut/impl/config.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/saved.hpp>
#include <jumpcut/impl/switch.hpp>

#include <cstddef>
#include <span>

namespace jumpcut::lowlevel {

/// A place where code can stop and go on: a stack, and the registers that belong to it. This is the
/// sharp tool under everything else, for those who build their own scheduler or measure switches:
/// it knows nothing of exceptions in flight, errno, names or stack overflow. Fibers do.
///
/// What is kept across a switch: every register that the ABI says a call keeps, and the
/// floating-point control words (rounding, traps; not the status flags).
///
/// A context must go on only on the thread where it was parked. It does not own its stack, and
/// destroying it runs nothing: let its function finish its work first.
class JUMPCUT_API Context {
 public:
  /// What a context runs first: gets the constructor's argument and the first switch's message.
  /// It must not return and must not throw: its last act is a switch, never to be answered. If it
  /// returns, the program aborts and says so.
  using Entry = void (*)(void* argument, void* message);

  /// For code that runs already, such as the thread's own: switch_to() parks it here.
  Context() noexcept;

  /// A context that will call entry(argument, message) on `stack` at the first switch to it.
  /// Throws ValueError if entry is null or the stack smaller than min_stack_size().
  Context(std::span<std::byte> stack, Entry entry, void* argument);

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  /// Parks the running code in this context and goes on in `to`, where the message arrives. Returns
  /// once somebody switches to this context, with that one's message.
  void* switch_to(Context& to, void* message = nullptr) noexcept {
    if constexpr (impl::Config::announced_switch) return switch_announced(to, message);
    return impl::switch_inlined(saved_, to.saved_, message).message;
  }

  /// Switches to `to` for the last time. There, before the message arrives, function(argument) runs
  /// on top of what is parked, and may free the stack that was left. It runs with the rounding mode
  /// of who left.
  [[noreturn]] void leave_to(Context& to, void* message, void (*function)(void*) noexcept,
                             void* argument) noexcept;

  /// Calls function(argument) on top of this parked context and comes back: a backtrace that it
  /// takes shows where the context is parked. It must not switch.
  void run_on_top(void (*function)(void*) noexcept, void* argument) noexcept;

  /// The smallest stack a context is made on: room for a signal handler's frame, which this machine
  /// may make larger than others, and 4 KiB. Fibers ask for more (StackPool).
  static std::size_t min_stack_size() noexcept;

 private:
  static void announced_entry(void* context, void* message);
  void* switch_announced(Context& to, void* message) noexcept;

  impl::Saved saved_{};
  impl::ToolStack stack_;
  Entry entry_ = nullptr;  // with argument_, for an announced first entry
  void* argument_ = nullptr;
};

}  // namespace jumpcut::lowlevel
