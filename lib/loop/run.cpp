#include <jumpcut/run.hpp>

#include "base/check.hpp"
#include "loop/interrupt.hpp"
#include "loop/loop_state.hpp"

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

Runner::Runner(const RunOptions& options) : options_(options), name_(options.name) {}

Runner::~Runner() {
  try {
    close();
  } catch (const std::exception& error) {
    impl::warn("a Runner is destroyed that can't be closed: %s", error.what());
  }
}

Loop& Runner::get_loop() {
  if (closed_) throw RuntimeError("Runner: it is closed");
  if (loop_ == nullptr) {
    loop_ = std::make_unique<Loop>(loop_options(options_));
    context_ = copy_context();
  }
  return *loop_;
}

Loop& Runner::loop_to_run() {
  if (impl::this_core != nullptr) {
    throw RuntimeError(
        "run: a loop runs in this thread already; await what you want to run, or create_task it");
  }
  Loop& loop = get_loop();
  loop.check_can_run("run");
  return loop;
}

TaskOptions Runner::main_options() const {
  TaskOptions result;
  result.name = name_;
  result.stack_size = options_.stack_size;
  result.context = &*context_;
  return result;
}

void Runner::run_main(const AnyTask& task) {
  bool told = false;
  bool unheard = false;
  {
    const impl::InterruptGuard guard(impl::LoopState::of(*loop_), task, options_.handle_sigint);
    loop_->run_until_done(task);
    told = guard.told();
    unheard = guard.unheard();
  }
  if (unheard || (told && task.cancelled() && task.uncancel() == 0)) throw Interrupted();
}

void Runner::close() {
  if (closed_) return;
  if (loop_ != nullptr) {
    impl::LoopState& state = impl::LoopState::of(*loop_);
    state.check_thread("Runner.close");
    if (loop_->is_running()) throw RuntimeError("Runner.close: its loop runs; stop() it first");
    if (impl::this_core == nullptr && !state.is_another_process() && !state.closed) {
      state.end_tasks();
      // asyncio runs a task each for ending the generators and the executor; who is ready meanwhile
      // has those turns.
      if (state.space->first_generator == nullptr) {
        state.run_ticks(2);
      } else {
        state.end_generators();
      }
      if (state.parts.empty()) {
        state.run_ticks(2);
      } else {
        loop_->run_until_complete([&] {
          // They wait, and there may be more of them afterwards.
          for (std::size_t i = 0; i < state.parts.size(); ++i) state.parts[i]->shut_down(true);
        });
      }
    }
    loop_->close();
  }
  closed_ = true;
  loop_.reset();
}

}  // namespace jumpcut
