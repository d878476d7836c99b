#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/listener.hpp>
#include <jumpcut/impl/saved.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace jumpcut::impl {

struct Core;
class Job;
class ContextCell;
class FutureBase;
class TaskBase;
struct FiberLocals;
struct SchedulerDoor;
struct FiberLocalKeys;
struct FiberName;

/// What the C++ runtime keeps for a thread, and a fiber must have for itself: the exceptions that
/// are caught and not yet done with, and how many are on their way.
struct ExceptionState {
  void* caught = nullptr;
  std::uint64_t uncaught = 0;
};

}  // namespace jumpcut::impl

namespace jumpcut::lowlevel {

class Scheduler;
class Wait;

/// A stack that can be switched to, and all that belongs to it: name, exceptions in flight, errno,
/// floating-point control words. Made by Scheduler::spawn(), once it is the fiber's turn; lives at
/// the top of its own stack until its function has returned. Belongs to one thread for good.
class JUMPCUT_API alignas(impl::cache_line) Fiber {
 public:
  enum class State : std::uint8_t {
    ready,    ///< in the ready queue
    running,  ///< has the thread
    parked,   ///< nowhere: waits to be woken
    done,     ///< its function has returned; fiber-local values are being destroyed
  };

  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// As given to spawn(), else "fiber-N", N counting the scheduler's fibers.
  std::string name() const;
  State state() const noexcept;
  Scheduler& scheduler() const noexcept;

  /// The memory it may use.
  const Stack& stack() const noexcept { return stack_; }
  /// Bytes of the stack that were used at the deepest. Reads the page table: not for a hot path.
  std::size_t high_water() const;

  /// While it is parked or ready: calls function(argument) on top of its stack and comes back, so
  /// that a backtrace taken there shows where it stopped. The function must not park. Throws
  /// RuntimeError on the running fiber.
  void run_on_top(void (*function)(void*) noexcept, void* argument);

 private:
  friend struct impl::Core;
  friend class Scheduler;
  friend struct impl::FiberLocalKeys;
  friend struct impl::FiberName;
  friend class impl::TaskBase;
  friend struct impl::SchedulerDoor;
  friend class impl::FutureBase;
  template <auto switch_form>
  friend void park_by(Wait& wait);
  friend bool wake(Wait& wait);

  Fiber() noexcept = default;
  /// Whose record it is.
  static Fiber& of(impl::Saved& saved) noexcept {
    return *reinterpret_cast<Fiber*>(reinterpret_cast<std::byte*>(&saved) -
                                     offsetof(Fiber, saved_));
  }
  /// Whose waiter it is.
  static Fiber& of(impl::Waiter& waiter) noexcept {
    return *reinterpret_cast<Fiber*>(reinterpret_cast<std::byte*>(&waiter) -
                                     offsetof(Fiber, waiter_));
  }

  // One cache line: all that a switch touches.
  impl::Saved saved_{};
  impl::ExceptionState exceptions_;
  int error_number_ = 0;
  bool done_ = false;
  bool interrupted_ = false;  // its task has something to see to when it goes on
  bool parked_ = false;       // on a Wait

  // The next line: all else that a task's wait does.
  impl::Waiter waiter_;
  impl::FutureBase* waiting_on_ = nullptr;  // what its task is parked on, or was until it goes on
  impl::TaskBase* task_ = nullptr;          // whose body runs here
  impl::Job* job_ = nullptr;
  impl::ContextCell* context_ = nullptr;  // what context variables refer to here
  impl::FiberLocals* locals_ = nullptr;
  impl::Core* core_ = nullptr;
  StackPool* pool_ = nullptr;
  Stack stack_{};
  Fiber* next_ = nullptr;  // the scheduler's list of fibers that have a stack
  Fiber* previous_ = nullptr;
  impl::ToolStack tool_;
  Fiber* return_to_ = nullptr;  // who switched here, and goes on when the job has ended
};

}  // namespace jumpcut::lowlevel
