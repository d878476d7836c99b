#pragma once

#include <jumpcut/future.hpp>
#include <jumpcut/impl/executor_future.hpp>
#include <jumpcut/impl/thread_state.hpp>
#include <jumpcut/thread_future.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// What an executor is given to run, once. Destroying one that was never run cancels its future.
class JUMPCUT_API ExecutorJob {
 public:
  ExecutorJob() noexcept = default;
  ExecutorJob(const ExecutorJob&) = delete;
  ExecutorJob& operator=(const ExecutorJob&) = delete;
  virtual ~ExecutorJob() = default;

  /// Makes the call, unless it was cancelled.
  virtual void run() noexcept = 0;
  /// After run(): shows the result to those who wait for it.
  virtual void publish() noexcept = 0;
};

/// Runs jobs somewhere else: concurrent.futures.Executor. Any thread may use it.
class JUMPCUT_API Executor {
 public:
  Executor() noexcept = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor();

  /// Has the job run and published by some thread that runs no loop. Throws RuntimeError if it
  /// takes no jobs any more.
  virtual void execute(std::unique_ptr<ExecutorJob> job) = 0;

  /// Has function() called there. Throws what execute() throws.
  template <class Function>
  auto submit(Function&& function)
      -> ThreadFuture<std::decay_t<std::invoke_result_t<std::decay_t<Function>&>>>;
};

namespace impl {

/// In a catch block: what a job threw. Ends the program, and says why, if it ended its thread.
JUMPCUT_API std::exception_ptr job_error() noexcept;

template <class Function>
using CallResult = std::decay_t<std::invoke_result_t<std::decay_t<Function>&>>;

template <class Function, class T>
class ExecutorJobOf final : public ExecutorJob {
 public:
  template <class F>
  ExecutorJobOf(std::shared_ptr<ThreadStateOf<T>> state, F&& function)
      : state_(std::move(state)), function_(std::forward<F>(function)) {}
  ~ExecutorJobOf() override { state_->cancel(); }

  void run() noexcept override {
    begun_ = state_->begin();
    if (begun_) {
      try {
        store_call(*state_, *function_);
      } catch (...) {
        error_ = job_error();
      }
    }
    function_.reset();  // before anybody sees that it is done
  }
  void publish() noexcept override {
    if (!begun_) return;
    if (error_ == nullptr) return state_->finish();
    state_->fail(std::exchange(error_, nullptr));
  }

 private:
  std::shared_ptr<ThreadStateOf<T>> state_;
  std::optional<Function> function_;
  std::exception_ptr error_;
  bool begun_ = false;
};

template <class Function>
std::shared_ptr<ThreadStateOf<CallResult<Function>>> execute(Executor& executor, const char* call,
                                                             Function&& function) {
  using T = CallResult<Function>;
  static_assert(!std::is_reference_v<std::invoke_result_t<std::decay_t<Function>&>>,
                "a job returns a value; return a pointer instead of a reference");
  refuse_null(function, call);
  auto state = std::make_shared<ThreadStateOf<T>>();
  executor.execute(std::make_unique<ExecutorJobOf<std::decay_t<Function>, T>>(
      state, std::forward<Function>(function)));
  return state;
}

/// The running loop's own, made when it is first needed.
JUMPCUT_API Executor& default_executor(const char* call);

}  // namespace impl

template <class Function>
auto Executor::submit(Function&& function)
    -> ThreadFuture<std::decay_t<std::invoke_result_t<std::decay_t<Function>&>>> {
  return ThreadFuture<impl::CallResult<Function>>(
      impl::execute(*this, "submit", std::forward<Function>(function)));
}

/// Has function() called by the executor, by the loop's own thread pool if it is null, and returns
/// a future of what it returns or throws: loop.run_in_executor. A call that has begun goes on when
/// the future is cancelled, and its result is dropped; one that has not is withdrawn. Context
/// variables don't go there: see to_thread. Throws RuntimeError where no loop runs, and if the
/// executor is shut down.
template <class Function>
Future<impl::CallResult<Function>> run_in_executor(Executor* executor, Function&& function) {
  using T = impl::CallResult<Function>;
  impl::TaskSpace& space = impl::running_space("run_in_executor");
  if (executor == nullptr) executor = &impl::default_executor("run_in_executor");
  return Future<T>(impl::Ref<impl::FutureBase>::adopt(impl::ExecutorFuture<T>::make(
      space, impl::execute(*executor, "run_in_executor", std::forward<Function>(function)))));
}

/// The same for what is on its way already, such as another loop's task: asyncio.wrap_future. So it
/// can be gathered, and waited for with others. Cancelling it cancels what it stands for, for all
/// who wait for that. Throws RuntimeError where no loop runs, and for no future.
template <class T>
Future<T> wrap_future(const ThreadFuture<T>& future) {
  impl::TaskSpace& space = impl::running_space("wrap_future");
  if (!future) impl::throw_no_future("wrap_future");
  return Future<T>(
      impl::Ref<impl::FutureBase>::adopt(impl::ExecutorFuture<T>::make(space, future.ref(), true)));
}

}  // namespace jumpcut
