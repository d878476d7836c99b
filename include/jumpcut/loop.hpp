#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/handle.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>
#include <jumpcut/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace jumpcut {

class Runner;

namespace impl {
class LoopDoor;
}  // namespace impl

/// What the exception handler is told.
struct ErrorContext {
  std::string message = {};
  std::exception_ptr exception = nullptr;  ///< null if there is none
  AnyFuture future = {};                   ///< the future or task concerned, or none
  std::string created = {};  ///< in debug mode, where the task was created: a call a line
  /// The message, the future, and the exception's text.
  JUMPCUT_API std::string describe() const;
};
using ExceptionHandler = std::function<void(const ErrorContext&)>;

struct LoopOptions {
  /// Whose time it keeps; null for the steady clock, or with JUMPCUT_CLOCK=virtual in the
  /// environment for a VirtualClock of the loop's own. Must outlive the loop.
  Clock* clock = nullptr;
  /// Slow steps, dropped tasks and swallowed cancellations are reported. JUMPCUT_DEBUG=1 does it
  /// too.
  bool debug = false;
  /// Tasks begin inside create_task.
  bool eager = false;
  /// The stacks that tasks get.
  lowlevel::StackPoolOptions stacks = {};
  /// Shuffles what is ready, by this seed, the same way each time. JUMPCUT_SEED does it too.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// A thread watches for tasks that hold up the loop. JUMPCUT_WATCHDOG=off does without.
  bool watchdog = true;
  /// How long a task may run without awaiting before it is reported.
  std::chrono::nanoseconds slow_callback_duration = std::chrono::milliseconds(100);
  /// How long close() lets cancelled tasks clean up before it names those that refuse.
  std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds(10);
  /// How long Runner waits for the threads of the loop's own pool before it leaves them behind.
  std::chrono::nanoseconds executor_shutdown_timeout = std::chrono::seconds(300);
};

/// How much is in the loop's queues, and what it did.
struct LoopStats {
  std::size_t ready = 0;   ///< callbacks and task steps whose turn will come
  std::size_t timers = 0;  ///< that are set
  std::size_t io = 0;      ///< descriptors that are watched, for reading or writing
  std::size_t tasks = 0;   ///< that are not done
  std::uint64_t ticks = 0;
  std::uint64_t polls = 0;  ///< times that it waited for descriptors, or looked at them
  std::uint64_t swallowed_cancellations = 0;
  std::uint64_t stalls = 0;              ///< steps that the watchdog reported
  std::uint64_t repeated_callbacks = 0;  ///< calls of await_callback's `done` beyond the first
};

/// The loop is closed: it makes no call any more, and ends no task. asyncio's "Event loop is
/// closed".
class JUMPCUT_API LoopClosed : public RuntimeError {
 public:
  using RuntimeError::RuntimeError;
};

/// An event loop: asyncio's. Runs callbacks and task steps in the order in which they became ready,
/// one counted batch a tick; between two ticks it looks at descriptors and timers.
///
/// Belongs to the thread that made it, which may have several but run one at a time. Only
/// call_soon_threadsafe() may be called by others.
class JUMPCUT_API Loop {
 public:
  explicit Loop(const LoopOptions& options = {});
  /// Closes it.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Throws RuntimeError if a loop runs in this thread, on another thread, and
  /// after close(); Deadlock if it can never go on.
  void run_forever();
  /// Runs until the future is done, or function(), as a task; returns its value or throws what it
  /// failed with. Throws also what run_forever() throws, and RuntimeError if it was stopped before.
  template <class T>
  T run_until_complete(const Future<T>& future) {
    run_until_done(future);
    return future.result();
  }
  template <class Function>
  requires std::is_invocable_v < std::decay_t<Function>
  & > auto run_until_complete(Function&& function) {
    check_can_run("run_until_complete");
    return run_until_complete(create_task(std::forward<Function>(function)));
  }
  /// Lets it finish the current batch and return from run_forever(); what is ready then stays so.
  void stop();
  bool is_running() const noexcept;
  /// Cancels the tasks that are left and lets them end; names those that refuse. Drops all that is
  /// ready or set for later. Throws RuntimeError while it runs. Does nothing the second time.
  void close();
  bool is_closed() const noexcept;

  /// Has function() called in its turn, on the thread's own stack: it can't await. Its context
  /// variables are those of now. What it throws goes to the exception handler. Throws RuntimeError
  /// on another thread, and LoopClosed after close().
  template <class Function>
  Handle call_soon(Function&& function) {
    return Handle(admit(make(std::forward<Function>(function), "call_soon")));
  }
  /// The same, no earlier than after `delay`, or at `when`; with equal times in the order in which
  /// they were asked for. Never in the tick that asks. Throws ValueError for a delay that is not a
  /// number; one of less than nothing is over, one that no TimePoint can say never is.
  template <class Rep, class Period, class Function>
  TimerHandle call_later(std::chrono::duration<Rep, Period> delay, Function&& function) {
    return call_at(impl::deadline_after(time(), delay), std::forward<Function>(function));
  }
  template <class Function>
  TimerHandle call_at(TimePoint when, Function&& function) {
    return TimerHandle(admit_at(when, make(std::forward<Function>(function), "call_at")));
  }
  /// The same as call_soon(), from any thread; wakes the loop if it sleeps. Those of one thread
  /// keep their order. Throws LoopClosed after close(); the Loop must still exist.
  template <class Function>
  void call_soon_threadsafe(Function&& function) {
    impl::refuse_null(function, "call_soon_threadsafe");
    post(
        std::make_unique<impl::PostedOf<std::decay_t<Function>>>(std::forward<Function>(function)));
  }

  /// What the clock says. Times are on this clock.
  TimePoint time() const;

  template <class T = void>
  Future<T> create_future() {
    return Future<T>(
        impl::Ref<impl::FutureBase>::adopt(impl::FutureState<T>::make(space("create_future"))));
  }
  /// jumpcut::create_task, in this loop; it need not run yet.
  template <class Function>
  Task<impl::TaskResult<Function>> create_task(Function&& function,
                                               const TaskOptions& options = {}) {
    return impl::make_task(space("create_task"), "create_task", std::forward<Function>(function),
                           options);
  }

  /// Has function() called in each tick in which the descriptor can be read without waiting, or is
  /// at its end or in error, until it is removed. It replaces the one that was there. Throws
  /// std::system_error for what can't be watched: regular files, bad descriptors.
  template <class Function>
  Handle add_reader(int fd, Function&& function) {
    return Handle(watch(fd, false, make(std::forward<Function>(function), "add_reader")));
  }
  template <class Function>
  Handle add_writer(int fd, Function&& function) {
    return Handle(watch(fd, true, make(std::forward<Function>(function), "add_writer")));
  }
  /// True if there was one. Before the descriptor is closed. False after close().
  bool remove_reader(int fd) { return unwatch(fd, false); }
  bool remove_writer(int fd) { return unwatch(fd, true); }

  /// Has function() called, in a turn of its own, for each time that the signal is delivered,
  /// whichever thread that happens on. It replaces the one that was there. A signal is for one loop
  /// of the process; remove_signal_handler() and close() restore what it did before. Until then a
  /// loop in real time with nothing else to wait for sleeps: that is no Deadlock. Throws
  /// ValueError for what is no signal, RuntimeError for one that can't be handled so, or that
  /// another loop has.
  template <class Function>
  void add_signal_handler(int signal, Function&& function) {
    handle_signal(signal, make(std::forward<Function>(function), "add_signal_handler"));
  }
  /// True if there was one. False after close().
  bool remove_signal_handler(int signal);

  /// Who is told what nobody else can be: exceptions of callbacks, of tasks that nobody awaits, of
  /// futures that are dropped. Null for the default, which writes to standard error.
  void set_exception_handler(ExceptionHandler handler);
  const ExceptionHandler& get_exception_handler() const noexcept;
  /// Tells it. If the handler throws, the default one is told both.
  void call_exception_handler(const ErrorContext& context) noexcept;
  static void default_exception_handler(const ErrorContext& context) noexcept;

  void set_debug(bool debug);
  bool get_debug() const noexcept;
  LoopStats stats() const;

 private:
  friend class impl::LoopDoor;
  friend class Runner;

  template <class Function>
  impl::Ref<impl::LoopHandle> make(Function&& function, const char* call) {
    return impl::Ref<impl::LoopHandle>::adopt(impl::LoopHandleOf<std::decay_t<Function>>::make(
        space(call), call, std::forward<Function>(function)));
  }
  impl::TaskSpace& space(const char* call) const;
  impl::Ref<impl::LoopHandle> admit(impl::Ref<impl::LoopHandle> handle);
  impl::Ref<impl::LoopHandle> admit_at(TimePoint when, impl::Ref<impl::LoopHandle> handle);
  impl::Ref<impl::LoopHandle> watch(int fd, bool writing, impl::Ref<impl::LoopHandle> handle);
  bool unwatch(int fd, bool writing);
  void handle_signal(int signal, impl::Ref<impl::LoopHandle> handle);
  void post(std::unique_ptr<impl::Posted> posted);
  void check_can_run(const char* call) const;
  void run_until_done(const AnyFuture& future);

  std::unique_ptr<impl::LoopState> state_;
};

/// The loop that runs in this thread. Throws RuntimeError if there is none.
JUMPCUT_API Loop& get_running_loop();

}  // namespace jumpcut
