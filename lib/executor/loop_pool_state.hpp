// A pool of loops from inside. What one thread does, PoolLoop::work(), is a Runner with a main task
// that waits until the pool stops, and then for the calls that were placed in the loop.

#pragma once

#include <jumpcut/cancel_scope.hpp>
#include <jumpcut/loop_pool.hpp>
#include <jumpcut/run.hpp>

#include "loop/loop_state.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace jumpcut::impl {

/// What a layer above has in a loop of a pool, and that comes to an end with it: a server.
class PoolPart {
 public:
  PoolPart() noexcept = default;
  PoolPart(const PoolPart&) = delete;
  PoolPart& operator=(const PoolPart&) = delete;
  virtual ~PoolPart() = default;
  /// The pool stops. In a task of the loop: returns once it has come to its end by itself.
  virtual void finish() = 0;
};

/// One loop, and its thread.
class PoolLoop {
 public:
  using Grace = std::optional<std::chrono::nanoseconds>;

  PoolLoop(LoopPoolState& pool, std::size_t which) : number(which), pool_(pool) {}
  PoolLoop(const PoolLoop&) = delete;
  PoolLoop& operator=(const PoolLoop&) = delete;
  ~PoolLoop() = default;

  /// All that its thread does.
  void work() noexcept;

  // By any thread, once the pool is there.

  /// False if the loop is closed.
  bool post(std::unique_ptr<Posted> posted) { return post_to(*posts_, std::move(posted)); }
  Core* const* thread() const noexcept { return thread_; }
  /// Whether the calling thread is its.
  bool is_here() const noexcept { return alive_.load() && thread_ == &this_core; }
  Loop* loop() const noexcept { return loop_.load(); }
  LoopPoolStats stats() const noexcept;
  std::size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }
  bool has_ended() const noexcept { return loop_.load(std::memory_order_relaxed) == nullptr; }
  /// A call comes, or has ended.
  void sit() noexcept;
  void leave() noexcept;
  void request_stop(Grace grace);
  std::shared_ptr<PoolLoop> shared();

  const std::size_t number;

  /// Its thread's alone.
  std::map<std::uint64_t, std::shared_ptr<PoolPart>> parts;

 private:
  /// Looks in the loop whether the last call has ended. Posted by whoever ended it.
  class LastCall final : public PostedCallback {
   public:
    explicit LastCall(PoolLoop& loop) noexcept : loop_(loop) {}
    void post() noexcept {
      if (!posted_.exchange(true) && !loop_.posts_->push(*this)) posted_ = false;
    }
    void run() override {
      posted_.exchange(false);  // the queue has done with it
      if (loop_.emptied_ && !loop_.emptied_.done()) loop_.emptied_.set_result();
    }
    void dispose() noexcept override {}

   private:
    PoolLoop& loop_;
    std::atomic<bool> posted_{false};
  };

  RunOptions run_options() const;
  void pin() const;
  void open(Loop& loop);
  bool run_main(Runner& runner);
  bool main();
  void finish_parts();
  void wait_until_empty();
  void report(std::exception_ptr error) const noexcept;

  LoopPoolState& pool_;
  std::shared_ptr<PostQueue> posts_;  // from open() on, as what follows
  Core* const* thread_ = nullptr;
  std::atomic<bool> alive_{false};    // the thread
  std::atomic<Loop*> loop_{nullptr};  // until it closes
  std::atomic<std::size_t> live_{0};
  std::atomic<std::uint64_t> placed_{0};
  LastCall last_call_{*this};

  // Its thread's alone.
  Future<> stop_asked_{nullptr};
  Future<> emptied_{nullptr};
  CancelScope grace_;
};

class LoopPoolState : public std::enable_shared_from_this<LoopPoolState> {
 public:
  static LoopPoolState& of(LoopPool& pool) noexcept { return *pool.state_; }

  explicit LoopPoolState(LoopPoolOptions wanted);
  LoopPoolState(const LoopPoolState&) = delete;
  LoopPoolState& operator=(const LoopPoolState&) = delete;
  ~LoopPoolState() = default;

  /// Returns once all loops run, or throws, with none.
  void start();
  PoolLoop& choose(const char* call);
  PoolLoop& at(std::size_t number, const char* call) const;
  PoolLoop* current() const noexcept;
  /// Throws RuntimeError if no more calls are taken.
  void check_open(const char* call) const;
  bool is_another_process() const noexcept;

  void request_stop(PoolLoop::Grace grace);
  /// Returns once all threads have ended; the answer is stop()'s.
  bool wait_until_ended(bool may_park);
  /// They go on by themselves.
  void let_go();

  /// One thread has a loop, or an error, or has ended.
  void tell_started(std::exception_ptr error);
  void tell_ended(bool well);

  const LoopPoolOptions options;
  std::vector<std::unique_ptr<PoolLoop>> loops;
  std::atomic<bool> stopping{false};

 private:
  void join();

  const pid_t process_;
  std::atomic<std::size_t> turn_{0};
  std::mutex mutex_;  // for all that follows
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  std::vector<std::function<void()>> told_;  // when all have ended
  std::size_t started_ = 0;
  std::size_t running_ = 0;  // threads
  std::exception_ptr error_;
  bool well_ = true;
};

/// Runs function() as a task of that loop, whether the pool is to stop or not; nobody waits for its
/// end but who has the future.
template <class Function>
auto run_in(PoolLoop& loop, Function&& function, const char* call)
    -> ThreadFuture<TaskResult<Function>> {
  using T = TaskResult<Function>;
  using Call = ThreadsafeCall<std::decay_t<Function>, T>;
  auto state = std::make_shared<ThreadStateOf<T>>();
  post_call(loop, *state,
            std::make_unique<PostedOf<Call>>(Call(state, std::forward<Function>(function))), call);
  return ThreadFuture<T>(std::move(state));
}

}  // namespace jumpcut::impl
