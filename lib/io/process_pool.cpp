#include <jumpcut/process_pool.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/task.hpp>

#include "base/check.hpp"
#include "executor/processors.hpp"
#include "io/waiters.hpp"
#include "io/worker.hpp"

#include <cstring>
#include <deque>
#include <list>
#include <utility>

#include <unistd.h>

namespace jumpcut {

namespace impl {

/// Held by the ProcessPool, and by the loop as long as it has a callback of its workers'.
class ProcessPoolState : public std::enable_shared_from_this<ProcessPoolState> {
 public:
  explicit ProcessPoolState(std::size_t most) noexcept : max_workers(most) {}

  void add(std::unique_ptr<RemoteJob> job);
  void shut_down(bool wait, bool cancel_jobs);
  /// Kills the workers, and cancels all.
  void end() noexcept;

  bool is_another_process() const noexcept { return getpid() != process_; }
  bool is_another_thread() const noexcept { return thread_ != &this_core; }
  bool is_shut_down() const noexcept { return shut_down_; }
  std::size_t worker_count() const noexcept { return running_.size(); }

  const std::size_t max_workers;

 private:
  using Workers = std::list<std::shared_ptr<Worker>>;

  void enter_loop();
  void start_soon();
  void start_workers();
  void start(const std::shared_ptr<Worker>& worker);
  void ended(Worker& worker);
  void forget(const std::shared_ptr<Worker>& worker) noexcept;
  bool is_idle() const noexcept { return waiting_.empty() && running_.empty() && arriving_ == 0; }
  void tell_if_idle();

  Workers waiting_;
  Workers running_;
  Waiters waiters_{"process pool"};  // for the end of all calls
  Core* const* const thread_ = &this_core;
  const pid_t process_ = getpid();
  std::uint64_t loop_number_ = 0;  // of the loop that these are in
  std::size_t arriving_ = 0;       // results that tasks copy
  bool starting_ = false;
  bool shut_down_ = false;
};

/// What an earlier loop left goes with it; it ended the workers itself.
void ProcessPoolState::enter_loop() {
  const TaskSpace& space = running_space("submit");
  if (space.loop_number == loop_number_) return;
  for (const Workers* some : {&waiting_, &running_}) {
    for (const auto& worker : *some) {
      if (worker->job().future.base("submit").space().core == nullptr) continue;
      throw RuntimeError(
          "submit: another loop of this thread has calls in this ProcessPool; make one for each "
          "loop, or let them end");
    }
  }
  waiting_.clear();
  running_.clear();
  arriving_ = 0;
  starting_ = false;
  loop_number_ = space.loop_number;
}

void ProcessPoolState::add(std::unique_ptr<RemoteJob> job) {
  enter_loop();
  const auto worker = std::make_shared<Worker>(std::move(job));
  waiting_.push_back(worker);
  try {
    worker->job().future.add_done_callback(
        [self = weak_from_this(), waited_for = std::weak_ptr(worker)](const AnyFuture& future) {
          const auto pool = self.lock();
          const auto cancelled = waited_for.lock();
          if (pool != nullptr && cancelled != nullptr && future.cancelled()) {
            pool->forget(cancelled);
          }
        });
    start_soon();
  } catch (...) {
    waiting_.pop_back();
    throw;
  }
}

/// In a callback: a worker that is forked by a task would go on as that task.
void ProcessPoolState::start_soon() {
  if (starting_ || running_.size() >= max_workers) return;
  get_running_loop().call_soon([self = shared_from_this()] {
    self->starting_ = false;
    self->start_workers();
  });
  starting_ = true;
}

void ProcessPoolState::start_workers() {
  while (!waiting_.empty() && running_.size() < max_workers) {
    running_.splice(running_.end(), waiting_, waiting_.begin());
    const std::shared_ptr<Worker> worker = running_.back();
    if (!worker->job().future.done()) {
      try {
        start(worker);
        continue;
      } catch (...) {
        worker->job().fail(std::current_exception());
      }
    }
    running_.pop_back();
  }
  tell_if_idle();
}

void ProcessPoolState::start(const std::shared_ptr<Worker>& worker) {
  worker->start(LoopState::running("submit"),
                [self = shared_from_this(), &one = *worker] { self->ended(one); });
}

void ProcessPoolState::ended(Worker& worker) {
  const std::shared_ptr<Worker> held = worker.shared_from_this();
  running_.remove(held);
  if (held->has_much()) {
    try {
      ++arriving_;
      create_task(
          [self = shared_from_this(), held] {
            held->finish();
            --self->arriving_;
            self->tell_if_idle();
          },
          {.name = "result of a worker"})
          .detach();
    } catch (const std::exception&) {
      --arriving_;
      held->finish();
    }
  } else {
    held->finish();
  }
  start_workers();
}

void ProcessPoolState::tell_if_idle() {
  if (is_idle()) waiters_.wake_all();
}

/// Nobody wants its result any more.
void ProcessPoolState::forget(const std::shared_ptr<Worker>& worker) noexcept {
  waiting_.remove(worker);
  worker->kill();
  tell_if_idle();
}

void ProcessPoolState::shut_down(bool wait, bool cancel_jobs) {
  const auto self = shared_from_this();
  shut_down_ = true;
  if (cancel_jobs) {
    for (const auto& worker : Workers(waiting_)) worker->job().future.cancel();
  }
  if (!wait) return;
  while (!is_idle()) waiters_.wait("shutdown");
}

void ProcessPoolState::end() noexcept {
  if (is_another_process()) return;
  if (is_another_thread()) {
    if (waiting_.empty() && running_.empty()) return;
    fail(
        "a ProcessPool is destroyed on another thread than its loop's, which has calls in it: "
        "destroy it there");
  }
  shut_down_ = true;
  for (const Workers* some : {&waiting_, &running_}) {
    for (const auto& worker : *some) {
      worker->kill();
      const AnyFuture& future = worker->job().future;
      if (future.base("cancel").space().core != nullptr) future.cancel();
    }
  }
}

}  // namespace impl

namespace {

std::string describe(int returncode) {
  constexpr const char* head = "a worker process ";
  constexpr const char* tail = " before its call was done";
  if (returncode >= 0) return head + ("exited with " + std::to_string(returncode)) + tail;
  const char* name = sigabbrev_np(-returncode);
  return head +
         ("was ended by " +
          (name == nullptr ? "signal " + std::to_string(-returncode) : "SIG" + std::string(name))) +
         tail;
}

}  // namespace

impl::RemoteJob::~RemoteJob() = default;

BrokenProcessPool::BrokenProcessPool(int returncode)
    : std::runtime_error(describe(returncode)), returncode_(returncode) {}

ProcessPool::ProcessPool(ProcessPoolOptions options)
    : state_(std::make_shared<impl::ProcessPoolState>(
          options.max_workers == 0 ? impl::usable_processors().size() : options.max_workers)) {}

ProcessPool::~ProcessPool() {
  state_->end();
}

void ProcessPool::check(const char* call) const {
  const std::string head(call);
  if (state_->is_another_process()) {
    throw RuntimeError(head +
                       ": this ProcessPool belongs to the process that forked this one; make a new "
                       "one, in a loop of this one's");
  }
  if (state_->is_another_thread()) {
    throw RuntimeError(
        head +
        ": this ProcessPool belongs to the thread that made it; make the call there, "
        "by call_soon_threadsafe");
  }
  if (state_->is_shut_down()) {
    throw RuntimeError(head + ": the ProcessPool is shut down, and takes no calls");
  }
}

void ProcessPool::add(std::unique_ptr<impl::RemoteJob> job) {
  state_->add(std::move(job));
}

void ProcessPool::shutdown(bool wait, bool cancel_jobs) {
  if (state_->is_another_process()) return;
  state_->shut_down(wait, cancel_jobs);
}

std::size_t ProcessPool::max_workers() const noexcept {
  return state_->max_workers;
}

std::size_t ProcessPool::worker_count() const noexcept {
  return state_->worker_count();
}

}  // namespace jumpcut
