// One thread of a LoopPool.

#include <jumpcut/cancelled.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/task_group.hpp>

#include "base/system_error.hpp"
#include "executor/loop_pool_state.hpp"
#include "executor/processors.hpp"

#include <cerrno>

#include <sched.h>

namespace jumpcut::impl {

LoopPoolStats PoolLoop::stats() const noexcept {
  return {!has_ended(), live(), placed_.load(std::memory_order_relaxed)};
}

std::shared_ptr<PoolLoop> PoolLoop::shared() {
  return {pool_.shared_from_this(), this};
}

void PoolLoop::sit() noexcept {
  // In one order with the pool's `stopping`: either whoever submits sees that it is set, or the
  // loop sees the call.
  live_.fetch_add(1);
  placed_.fetch_add(1, std::memory_order_relaxed);
}

void PoolLoop::leave() noexcept {
  if (live_.fetch_sub(1) == 1 && pool_.stopping.load()) last_call_.post();
}

void PoolLoop::work() noexcept {
  bool opened = false;
  bool well = false;
  try {
    pin();
    Runner runner(run_options());
    open(runner.get_loop());
    opened = true;
    pool_.tell_started(nullptr);
    well = run_main(runner);
    loop_ = nullptr;
    runner.close();
  } catch (...) {
    loop_ = nullptr;
    if (opened) {
      report(std::current_exception());
      well = false;
    } else {
      pool_.tell_started(std::current_exception());
    }
  }
  parts.clear();
  stop_asked_ = emptied_ = Future<>(nullptr);
  alive_ = false;
  pool_.tell_ended(well);
}

void PoolLoop::pin() const {
  if (!pool_.options.pin) return;
  const std::vector<int> processors =
      pool_.options.processors.empty() ? usable_processors() : pool_.options.processors;
  const int processor = processors[number % processors.size()];
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(processor), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    throw_system_error(errno, "LoopPool: pinning loop %zu to processor %d", number, processor);
  }
}

RunOptions PoolLoop::run_options() const {
  RunOptions options;
  options.handle_sigint = false;  // the main thread's, if anybody's
  options.name = "LoopPool";
  options.loop = pool_.options.loop;
  return options;
}

void PoolLoop::open(Loop& loop) {
  LoopState& state = LoopState::of(loop);
  loop.set_exception_handler(pool_.options.exception_handler);
  posts_ = state.posts;
  thread_ = state.core.thread;
  stop_asked_ = loop.create_future();
  alive_ = true;
  loop_ = &loop;
}

/// Whether it stopped when the pool did, and all calls ended by themselves.
bool PoolLoop::run_main(Runner& runner) {
  const AtWork owned(LoopState::of(runner.get_loop()).outsiders->owners);
  try {
    return runner.run([this] { return main(); });
  } catch (...) {
    report(std::current_exception());
    return false;
  }
}

void PoolLoop::report(std::exception_ptr error) const noexcept {
  ErrorContext context;
  context.message = "loop " + std::to_string(number) + " of a LoopPool has ended";
  context.exception = std::move(error);
  try {
    if (pool_.options.exception_handler != nullptr) return pool_.options.exception_handler(context);
  } catch (...) {  // then the default one
  }
  Loop::default_exception_handler(context);
}

bool PoolLoop::main() {
  await(stop_asked_);
  return cancel_scope(grace_, [this] {
    finish_parts();
    wait_until_empty();
  });
}

void PoolLoop::finish_parts() {
  task_group([this](TaskGroup& group) {
    for (const auto& [id, part] : parts) group.create_task([kept = part] { kept->finish(); });
  });
}

void PoolLoop::wait_until_empty() {
  for (;;) {
    emptied_ = Future<>();
    if (live_.load() == 0) return;
    await(emptied_);
  }
}

void PoolLoop::request_stop(Grace grace) {
  const auto stop = [this, grace] {
    if (grace.has_value()) {
      const TimePoint deadline = deadline_after(LoopState::running("stop").now(), *grace);
      if (!grace_.deadline().has_value() || deadline < *grace_.deadline()) {
        grace_.reschedule(deadline);
      }
    }
    if (stop_asked_ && !stop_asked_.done()) stop_asked_.set_result();
  };
  post(std::make_unique<PostedOf<decltype(stop)>>(stop));
}

}  // namespace jumpcut::impl
