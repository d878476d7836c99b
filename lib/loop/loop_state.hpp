// A loop from inside: the three queues and what moves things between them.

#pragma once

#include <jumpcut/loop.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include "base/forks.hpp"
#include "fiber/watchdog.hpp"
#include "loop/descriptors.hpp"
#include "loop/poller.hpp"
#include "loop/post_queue.hpp"
#include "loop/slow_steps.hpp"
#include "loop/timer_heap.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace jumpcut::impl {

/// What becomes ready at a time. The loop pushes it, in its turn it runs; who owns it takes it back
/// with LoopState::cancel_timer() before that.
class Timer : public TimerNode, public Callback {
 public:
  static constexpr std::uint64_t nowhere = ~std::uint64_t{0};

  void dispose() noexcept override {}

  std::uint64_t place = nowhere;  ///< in the ready queue, once it is due: the loop's

 protected:
  ~Timer() = default;
};

/// Stands in the ready queue for what was taken back out of it.
class Nothing final : public Callback {
 public:
  void run() override {}
  void dispose() noexcept override {}
};

inline constinit Nothing nothing;

/// Something of a layer above that lives as long as the loop, such as its default executor.
class LoopPart {
 public:
  LoopPart() noexcept = default;
  LoopPart(const LoopPart&) = delete;
  LoopPart& operator=(const LoopPart&) = delete;
  virtual ~LoopPart() = default;
  /// The loop is about to end. In a task, or in close() when no task can run any more.
  virtual void shut_down(bool may_wait) = 0;
};

/// Counts those outside who may post to the loop some day: a thread with a job of its, a callback
/// that a foreign library has, a signal. While there are any, the loop waits for them rather than
/// calling it a deadlock. Outlives the loop.
struct Outsiders {
  std::atomic<std::int64_t> threads{0};    ///< surely at work: a virtual clock waits for them too
  std::atomic<std::int64_t> callbacks{0};  ///< may never come
  std::atomic<std::int64_t> signals{0};    ///< handled here: another process may send one any time
  std::atomic<std::int64_t> owners{0};     ///< may bring work at any time, and will end the loop
  std::atomic<std::uint64_t> repeated{0};  ///< calls of a callback beyond its first
};

/// While it lives, which is on the loop's thread, there is one more of them: a thread at work, if
/// nothing else is said.
class AtWork {
 public:
  explicit AtWork(Outsiders& outsiders) noexcept : AtWork(outsiders.threads) {}
  explicit AtWork(std::atomic<std::int64_t>& count) noexcept : count_(count) { ++count_; }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  ~AtWork() { --count_; }

 private:
  std::atomic<std::int64_t>& count_;
};

/// Has the loop whose queue that is make the call, in the context of now. False, and the call is
/// dropped, once the loop is closed.
bool post_to(PostQueue& queue, std::unique_ptr<Posted> posted);

class InterruptGuard;
class LoopState;

/// The way from a Loop to its state.
class LoopDoor {
 public:
  static LoopState& state(Loop& loop) noexcept { return *loop.state_; }
};

class LoopState {
 public:
  LoopState(Loop& loop, const LoopOptions& options);
  LoopState(const LoopState&) = delete;
  LoopState& operator=(const LoopState&) = delete;
  ~LoopState();

  static LoopState& of(Loop& loop) noexcept { return LoopDoor::state(loop); }
  /// The running thread's; throws RuntimeError where no loop runs.
  static LoopState& running(const char* call);

  void run_forever();
  void stop() noexcept;
  void close();

  void check_open(const char* call) const;
  void check_thread(const char* call) const;
  /// Throws RuntimeError unless the loop may be run here and now.
  void check_can_run(const char* call) const;
  /// It was made by the process that forked this one.
  bool is_another_process() const noexcept { return forks_ != forks; }

  TimePoint now() const { return clock->now(); }
  void add_timer(TimePoint when, Timer& timer);
  /// It is due at once: behind what is ready now.
  void add_due_timer(Timer& timer);
  /// It will not run, and is not touched any more. Nothing if it ran or was never added.
  void cancel_timer(Timer& timer) noexcept;

  void post(std::unique_ptr<Posted> posted);
  /// The interrupt guard has something to do. From a signal handler too.
  void wake_for_interrupt() noexcept;
  void report(const ErrorContext& context) noexcept;
  void set_debug(bool debug) noexcept;
  std::uint64_t stalls() const noexcept {
    return heartbeat_.has_value() ? heartbeat_->stalls() : 0;
  }

  // What ends a loop, one after the other; none of them in a task.

  /// Cancels all tasks and runs until they are done, or options.shutdown_timeout is over; their
  /// errors go to the exception handler.
  void end_tasks();
  /// Closes the generators that have begun.
  void end_generators();
  /// So many ticks that don't wait for anything.
  void run_ticks(int count);

  /// In a process that a callback has forked, with all signals blocked: no loop runs here any more,
  /// and no signal goes to one. SIGINT is ignored if it did.
  void leave_to_parent() noexcept;

  static constexpr std::uint32_t posted_bit = 4;   // of Core::attention
  static constexpr std::uint32_t turning_bit = 8;  // timers, descriptors, or a mode want each tick
  static constexpr std::uint32_t stopping_bit = 16;
  static constexpr std::uint32_t interrupt_bit = 32;

  Loop& loop;
  VirtualClock own_clock;  // for JUMPCUT_CLOCK=virtual
  const LoopOptions options;
  Clock* clock;
  lowlevel::Scheduler scheduler;
  Core& core;
  TaskSpace* space;
  TimerHeap timers;
  std::shared_ptr<PostQueue> posts;
  std::shared_ptr<Outsiders> outsiders = std::make_shared<Outsiders>();
  std::unique_ptr<Poller> poller;
  std::shared_ptr<Descriptors> descriptors;
  ExceptionHandler handler;
  std::vector<std::unique_ptr<LoopPart>> parts;
  std::uint64_t polls = 0;
  InterruptGuard* interrupt_guard = nullptr;
  bool stopping = false;
  bool closed = false;

 private:
  void cycle();
  void take_interrupt();
  void turn();
  void turn_batch();
  void poll();
  void look_for_events();
  void wait_for_events(TimePoint until);
  void take_events(std::size_t count);
  void take_posts();
  void take_event(const PollEvent& event);
  void take_due_timers();
  void shuffle() noexcept;
  void set_attention() noexcept;
  bool is_awaited() const;
  bool others_could_post() const;
  void wait_for_others();
  [[noreturn]] void throw_deadlock();
  void name_the_refusing() noexcept;
  void drop_queues() noexcept;

  std::array<PollEvent, events_at_once> events_;
  std::optional<std::mt19937_64> random_;
  SlowSteps slow_steps_{*this};
  std::optional<Heartbeat> heartbeat_;  // once it has run
  static constexpr std::chrono::nanoseconds least_patience = std::chrono::milliseconds(50);
  static constexpr std::chrono::nanoseconds most_patience = std::chrono::minutes(1);
  std::chrono::nanoseconds patience_ = least_patience;  // see wait_for_others()
  const std::uint32_t forks_ = forks;                   // when it was made
};

}  // namespace jumpcut::impl
