#include <jumpcut/run.hpp>

#include <jumpcut/impl/generator_base.hpp>
#include <jumpcut/sleep.hpp>

#include "loop/alarm.hpp"
#include "loop/interrupt.hpp"
#include "loop/loop_state.hpp"
#include "loop/shutdown.hpp"
#include "task/relay.hpp"

#include <utility>

namespace jumpcut {

namespace {

LoopOptions loop_options(const RunOptions& options) {
  LoopOptions result = options.loop;
  if (options.clock != nullptr) result.clock = options.clock;
  if (options.seed.has_value()) result.seed = options.seed;
  result.debug = result.debug || options.debug;
  return result;
}

}  // namespace

Runner::Runner(const RunOptions& options) : options_(options) {
  if (impl::this_core != nullptr) {
    throw RuntimeError(
        "run: a loop runs in this thread already; await what you want to run, or create_task it");
  }
}

Runner::~Runner() {
  close();
}

Loop& Runner::get_loop() {
  if (closed_) throw RuntimeError("Runner: it is closed");
  if (loop_ == nullptr) {
    loop_ = std::make_unique<Loop>(loop_options(options_));
    context_ = copy_context();
  }
  return *loop_;
}

TaskOptions Runner::main_options() const {
  TaskOptions result;
  result.name = options_.name;
  result.stack_size = options_.stack_size;
  result.context = &*context_;
  return result;
}

void Runner::run_main(const AnyTask& task) {
  bool interrupted = false;
  {
    const impl::InterruptGuard guard(impl::LoopState::of(*loop_), task, options_.handle_sigint);
    loop_->run_until_done(task);
    interrupted = guard.came();
  }
  if (interrupted && task.cancelled() && task.uncancel() == 0) throw Interrupted();
}

void Runner::close() {
  if (std::exchange(closed_, true) || loop_ == nullptr) return;
  if (impl::this_core == nullptr) {
    impl::LoopState& state = impl::LoopState::of(*loop_);
    try {
      loop_->run_until_complete([&] {
        impl::cancel_all_tasks(state, state.options.shutdown_timeout);
        impl::GeneratorBase::close_all(*state.space);
        // They wait, and there may be more of them afterwards.
        for (std::size_t i = 0; i < state.parts.size(); ++i) state.parts[i]->shut_down(true);
      });
    } catch (const Deadlock&) {  // the loop names those that refuse to end
    }
  }
  loop_->close();
  loop_.reset();
}

namespace impl {

namespace {

/// Waits until the future is done or the time has come; true if it is done.
bool wait_until(FutureBase& future, LoopState& loop, TimePoint when) {
  if (future.is_done()) return true;
  Waiting waiting(future.space(), "the end of a task");
  const Relay relay(future, waiting);
  const Alarm alarm(loop, when, waiting);
  TaskBase::wait_until_done(waiting, "close");
  return future.is_done();
}

}  // namespace

void cancel_all_tasks(LoopState& loop, std::chrono::nanoseconds longest) {
  const AnyTask self = current_task();
  std::vector<AnyTask> tasks;
  for (AnyTask& task : all_tasks()) {
    if (!(task == self)) tasks.push_back(std::move(task));
  }
  CancelRequest request;
  request.reason = CancelReason::shutdown;
  const std::exception_ptr cancelled = make_cancelled(std::move(request));
  for (const AnyTask& task : tasks) {
    try {
      task.base("close").cancel(cancelled);
    } catch (const RecursionError&) {
      task.task("close").tear_away(cancelled);
    }
  }
  const TimePoint deadline = deadline_after(loop.now(), longest);
  for (const AnyTask& task : tasks) {
    if (!wait_until(task.base("close"), loop, deadline)) return;
  }
  for (const AnyTask& task : tasks) {
    if (task.cancelled() || task.exception() == nullptr) continue;
    loop.report({"unhandled exception while the loop ended its tasks", task.exception(), task});
  }
}

}  // namespace impl

}  // namespace jumpcut
