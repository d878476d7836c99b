#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/thread_future.hpp>
#include <jumpcut/threadsafe.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {

class LoopPoolState;
class PoolLoop;

/// A call's place in a loop, from when it is submitted until it has ended. The loop waits for its
/// end when the pool stops.
class JUMPCUT_API Seat {
 public:
  explicit Seat(std::shared_ptr<PoolLoop> loop) noexcept;
  Seat(Seat&&) noexcept = default;
  Seat& operator=(Seat&&) = delete;
  ~Seat();

  const std::shared_ptr<PoolLoop>& loop() const noexcept { return loop_; }

 private:
  std::shared_ptr<PoolLoop> loop_;
};

/// In the loop that is chosen for it, or in that one. Throws RuntimeError if there is none.
JUMPCUT_API Seat take_seat(LoopPoolState& pool, const char* call);
JUMPCUT_API Seat take_seat(LoopPoolState& pool, std::size_t loop, const char* call);
/// The future waits for that loop, which is to make the call. Throws RuntimeError if it has ended.
JUMPCUT_API void post_call(PoolLoop& loop, ThreadState& state, std::unique_ptr<Posted> posted,
                           const char* call);

}  // namespace impl

/// Which loop of a pool gets a call.
enum class Placement : std::uint8_t {
  least_loaded,  ///< the one with the fewest that have not ended; of several, each in its turn
  round_robin,
};

struct LoopPoolOptions {
  /// How many loops, each in a thread of its own; 0 for as many as the process may use processors.
  std::size_t loops = 0;
  Placement placement = Placement::least_loaded;
  /// Each thread stays on one processor: on the first of `processors`, on the second, and so on,
  /// and round again; if there are none, of those that the process may use.
  bool pin = false;
  std::vector<int> processors = {};
  /// The threads are called that, with a number.
  std::string name = "loop";
  /// Each loop's. A clock of one's own can't be told: threads would share it.
  LoopOptions loop = {};
  /// Each loop's; called by its thread. Null for the default.
  ExceptionHandler exception_handler = nullptr;
};

/// Of one loop.
struct LoopPoolStats {
  bool is_running = false;
  std::size_t live = 0;      ///< calls that have not ended, and connections that are served
  std::uint64_t placed = 0;  ///< all there ever were
};

/// Many loops, one a thread: work is placed on one of them, and stays there, with all the tasks
/// that it creates. What a pool's tasks share with those of other loops is shared by threads. Any
/// thread may use it; a forked process has none of its threads: there submit() throws RuntimeError,
/// and stop() does nothing.
///
/// A loop that ends before the pool, because somebody stopped it, is reported to its exception
/// handler; its tasks are cancelled, and the others go on.
class JUMPCUT_API LoopPool {
 public:
  /// Returns once all loops run. Throws ValueError for more than 10,000 loops, a processor's number
  /// that none can have, and a clock; std::system_error and ResourceError where a thread or its
  /// loop can't be made, or not be pinned.
  explicit LoopPool(LoopPoolOptions options = {});
  LoopPool(const LoopPool&) = delete;
  LoopPool& operator=(const LoopPool&) = delete;
  /// As stop(0s) does, but blocks the thread, in a task too. In one of its own loops it does not
  /// wait.
  ~LoopPool();

  /// Runs function() as a task of one of its loops; the future tells what it returns or throws, and
  /// its cancel() cancels the task: run_coroutine_threadsafe(), which is the same for a certain
  /// loop. Throws RuntimeError once it is to stop, ValueError for a null function.
  template <class Function>
  ThreadFuture<impl::TaskResult<Function>> submit(Function&& function) {
    impl::refuse_null(function, "submit");
    return place(impl::take_seat(*state_, "submit"), std::forward<Function>(function), "submit");
  }
  /// The same on the loop of that number, from 0 on. Throws ValueError if there is none.
  template <class Function>
  ThreadFuture<impl::TaskResult<Function>> submit_to(std::size_t loop, Function&& function) {
    impl::refuse_null(function, "submit_to");
    return place(impl::take_seat(*state_, loop, "submit_to"), std::forward<Function>(function),
                 "submit_to");
  }

  std::size_t size() const noexcept;
  /// For run_coroutine_threadsafe() and call_soon_threadsafe(). It exists until the pool stops: who
  /// might use it later submits to it instead. Throws RuntimeError if it has ended, ValueError if
  /// there is none of that number.
  Loop& loop(std::size_t number) const;
  /// The number of the loop that this thread is of, if it is one of the pool's.
  std::optional<std::size_t> current() const noexcept;
  /// Of each loop.
  std::vector<LoopPoolStats> stats() const;

  /// Takes no calls any more, and returns once all loops have ended, for which it waits: each waits
  /// for its calls and connections to end by themselves, no longer than `grace`, and closes its
  /// listeners before; then it cancels the tasks that are left, and waits for them as run() does.
  /// Parks a task, blocks any other thread. True if all calls ended by themselves, in all loops;
  /// tasks that those left behind don't count. Throws RuntimeError in one of its own loops, which
  /// could not wait for its own end. If it throws Cancelled, the pool goes on stopping. May be
  /// called again, with less grace.
  template <class Rep, class Period>
  bool stop(std::chrono::duration<Rep, Period> grace) {
    return stop_within(nanoseconds(grace));
  }
  /// For as long as they take.
  bool stop(std::nullopt_t) { return stop_within(std::nullopt); }

  /// Begins that, and waits for nothing: for a task of the pool itself. stop() or the destructor is
  /// to follow.
  template <class Rep, class Period>
  void request_stop(std::chrono::duration<Rep, Period> grace) {
    request_stop_within(nanoseconds(grace));
  }
  void request_stop(std::nullopt_t) { request_stop_within(std::nullopt); }
  bool is_stopping() const noexcept;

 private:
  friend class impl::LoopPoolState;

  using Grace = std::optional<std::chrono::nanoseconds>;

  template <class Rep, class Period>
  static Grace nanoseconds(std::chrono::duration<Rep, Period> grace) {
    return std::chrono::nanoseconds(impl::saturated_nanoseconds(grace));
  }
  bool stop_within(Grace grace);
  void request_stop_within(Grace grace);

  template <class Function>
  static auto place(impl::Seat seat, Function&& function, const char* call)
      -> ThreadFuture<impl::TaskResult<Function>> {
    using T = impl::TaskResult<Function>;
    const std::shared_ptr<impl::PoolLoop> loop = seat.loop();
    auto seated = [held = std::move(seat),
                   kept = std::decay_t<Function>(std::forward<Function>(function))]() mutable -> T {
      return kept();
    };
    auto state = std::make_shared<impl::ThreadStateOf<T>>();
    impl::post_call(*loop, *state,
                    std::make_unique<impl::PostedOf<impl::ThreadsafeCall<decltype(seated), T>>>(
                        impl::ThreadsafeCall<decltype(seated), T>(state, std::move(seated))),
                    call);
    return ThreadFuture<T>(std::move(state));
  }

  std::shared_ptr<impl::LoopPoolState> state_;
};

}  // namespace jumpcut
