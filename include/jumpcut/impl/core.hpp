#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/config.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/ready_queue.hpp>
#include <jumpcut/impl/switch.hpp>
#include <jumpcut/lowlevel/fiber.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace jumpcut::impl {

struct Core;
struct TaskSpace;

/// This thread's scheduler, or null. Initial-exec: one load, in shared libraries too.
JUMPCUT_API [[gnu::tls_model("initial-exec")]] extern constinit thread_local Core* this_core;

/// What a fiber has the hub do for it.
struct HubCall {
  void (*function)(void*) noexcept = nullptr;
  void* argument = nullptr;
  lowlevel::Fiber* caller = nullptr;
};

/// Is told of each step, on whatever stack that happens: it must neither throw nor park.
class StepObserver {
 public:
  /// The entry is about to be taken.
  virtual void begins(Entry entry) noexcept = 0;
  /// What was taken last has parked or ended. Also where nothing was.
  virtual void ended() noexcept = 0;

 protected:
  ~StepObserver() = default;
};

/// What the running thread's Scheduler switches with: the part of it that park, wake and yield
/// touch, inlined into their callers.
///
/// A tick is a counted batch: the entries that are ready when it begins. Fibers hand the thread
/// from one to the next; the hub, the thread's own stack, is entered only for what must run there.
struct JUMPCUT_API Core {
  using Fiber = lowlevel::Fiber;

  /// The fiber that runs now; the hub's own record while the hub runs.
  Fiber* running;
  ReadyQueue ready;
  /// Up to where fibers may take entries by themselves.
  std::uint64_t batch_end = 0;
  /// The thread's exception state and errno, which a switch exchanges.
  ExceptionState* exceptions;
  int* error_number;
  std::uint64_t ticks = 0;
  /// Not zero: when a tick ends, the hub must be entered before the next begins.
  std::atomic<std::uint32_t> attention{0};
  /// Of `attention`: one fiber runs aside, and gives the thread back to the hub.
  static constexpr std::uint32_t aside = 2;
  /// Each step is a batch of its own, for what must be looked at between two: canaries, and what
  /// the observer wants to know.
  bool careful = false;
  bool has_canaries = false;
  /// Where this tick ends: batch_end, unless careful.
  std::uint64_t tick_end = 0;
  StepObserver* observer = nullptr;  ///< see observe_steps()
  /// Where this thread keeps its scheduler: tells one thread from another.
  Core* const* thread = &this_core;
  /// The tasks that run here, if a Loop does.
  TaskSpace* tasks = nullptr;
  HubCall hub_call;
  Fiber hub;

  Core() noexcept;

  /// From the next step on, with null from the next tick that the hub begins.
  void observe_steps(StepObserver* by) noexcept {
    observer = by;
    if (by == nullptr || careful) return;
    careful = true;
    if (batch_end == tick_end) batch_end = ready.head;
  }

  bool on_hub() const noexcept { return running == &hub; }
  bool on_its_thread() const noexcept { return thread == &this_core; }

  /// Whether there is an entry to take; begins the next tick where the hub has nothing to do first.
  [[gnu::always_inline]] bool has_next() noexcept {
    return ready.head != batch_end || next_batch();
  }

  /// Leaves the running fiber, which is registered with whoever will wake it, and goes on with the
  /// next entry. Returns as transfer() does.
  template <auto switch_form>
  [[gnu::always_inline]] Fiber& switch_to_next() noexcept {
    Fiber& self = *running;
    return transfer<switch_form>(self, next());
  }

  /// Takes the next entry, as a fiber that can be switched to.
  [[gnu::always_inline]] Fiber& next() noexcept {
    if (!has_next()) return hub;
    const Entry entry = ready.front();
    if (!entry.is_fiber()) [[unlikely]]
      return next_by_hand();
    ready.pop();
    // Its record, and the frames that most often lie right below.
    prefetch<0, -64, -128>();
    return entry.fiber();
  }

  /// Asks for what the entry after the next few will touch, if it is one like that just taken: the
  /// lines at these distances from its address. What it saves: lib/decisions/0002-ready-queue.md.
  template <std::ptrdiff_t... offsets>
  [[gnu::always_inline]] void prefetch() const noexcept {
    constexpr std::uint64_t distance = 4;
    if (ready.size() <= distance) return;
    const auto later = ready.slots[(ready.head + distance) & ready.mask].address();
    (__builtin_prefetch(
         reinterpret_cast<const void*>(later + static_cast<std::uintptr_t>(offsets))),
     ...);
  }

  /// For who makes long calls before it parks again, system calls: asks for what the next fiber
  /// will touch of its stack, if that is parked some calls deep.
  [[gnu::always_inline]] void prefetch_next_stack() const noexcept {
    if (ready.empty() || !ready.front().is_fiber()) return;
    const Fiber& next = ready.front().fiber();
    constexpr std::size_t lines = 7;
    const auto* place = static_cast<const std::byte*>(next.saved_.sp);
    for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(place + i * cache_line);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(&next) + cache_line);
  }

  /// All that a fiber owns and the assembly does not know changes hands, then the stacks. Returns
  /// `from`, once it runs again: without a look at its stack, which takes longest to come.
  template <auto switch_form>
  [[gnu::always_inline]] Fiber& transfer(Fiber& from, Fiber& to) noexcept {
    from.exceptions_ = *exceptions;
    from.error_number_ = *error_number;
    adopt(to);
    if constexpr (Config::announced_switch) {
      announced_switch(from, to);
      return from;
    } else {
      return Fiber::of(switch_form(from.saved_, to.saved_, nullptr).self);
    }
  }

  /// The thread is `fiber`'s from here on.
  [[gnu::always_inline]] void adopt(Fiber& fiber) noexcept {
    running = &fiber;
    *exceptions = fiber.exceptions_;
    *error_number = fiber.error_number_;
  }

 private:
  [[gnu::always_inline]] bool next_batch() noexcept {
    if (careful || attention.load(std::memory_order_relaxed) != 0) return next_batch_by_hand();
    ++ticks;
    batch_end = tick_end = ready.tail;
    return !ready.empty();
  }

  bool next_batch_by_hand() noexcept;
  /// A job, which needs a stack, or a callback, which needs the hub.
  Fiber& next_by_hand() noexcept;
  static void announced_switch(Fiber& from, Fiber& to) noexcept;
};

/// Throws RuntimeError: the thread has no scheduler.
[[noreturn]] JUMPCUT_API void throw_no_scheduler();
/// Throws RuntimeError: `call` was made where no fiber runs.
[[noreturn]] JUMPCUT_API void throw_outside_fiber(const char* call);
/// Throws ValueError: `call` was given no function.
[[noreturn]] JUMPCUT_API void throw_null_function(const char* call);
/// The same if `function` is null, of whatever type.
template <class Function>
void refuse_null(const Function& function, const char* call) {
  if constexpr (std::is_function_v<Function>) {
    static_cast<void>(function);  // never is
  } else if constexpr (requires { function == nullptr; }) {
    if (function == nullptr) throw_null_function(call);
  }
}
/// Throws RuntimeError: `call` concerns a fiber of another thread's scheduler.
[[noreturn]] JUMPCUT_API void throw_wrong_thread(const char* call, const lowlevel::Fiber& fiber);
/// Throws RuntimeError: park() on a wait that `fiber` is parked on.
[[noreturn]] JUMPCUT_API void throw_second_park(const lowlevel::Fiber& fiber);

/// Makes the call on the thread's own stack, while the running fiber waits; no other fiber runs
/// meanwhile. `name` is the public call's, for the error outside a fiber.
JUMPCUT_API void call_on_hub(const char* name, void (*function)(void*) noexcept, void* argument);

/// The running fiber's core; throws RuntimeError where none runs.
[[gnu::always_inline]] inline Core& core_of_fiber(const char* call) {
  Core* core = this_core;
  if (core == nullptr || core->on_hub()) [[unlikely]]
    throw_outside_fiber(call);
  return *core;
}

}  // namespace jumpcut::impl
