// How a loop ends: its tasks first, then what is in its queues.

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/generator_base.hpp>

#include "base/check.hpp"
#include "loop/deadlock.hpp"
#include "loop/loop_state.hpp"
#include "loop/stop_when_done.hpp"
#include "task/awaiters.hpp"

#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace jumpcut::impl {

namespace {

/// The tasks have had their time.
class Deadline final : public Timer {
 public:
  Deadline(LoopState& loop, TimePoint when) : loop_(loop) { loop.add_timer(when, *this); }
  ~Deadline() { loop_.cancel_timer(*this); }

  void run() override {
    place = nowhere;
    passed_ = true;
    loop_.stop();
  }
  bool has_passed() const noexcept { return passed_; }

 private:
  LoopState& loop_;
  bool passed_ = false;
};

}  // namespace

void LoopState::end_tasks() {
  if (space->task_count == 0) return;
  std::vector<AnyTask> tasks;
  for (TaskBase* task : tasks_of(*space)) tasks.emplace_back(task);
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

  StopWhenDone end(*this);
  for (const AnyTask& task : tasks) end.add(task.base("close"));
  {
    const Deadline deadline(*this, deadline_after(now(), options.shutdown_timeout));
    try {
      // Somebody else may stop it.
      while (!end.all_done() && !deadline.has_passed()) run_forever();
    } catch (const Deadlock&) {  // no deadline, and they wait for ever
    }
  }
  // asyncio waits by gather(), which takes a tick more.
  if (end.all_done()) run_ticks(1);

  for (const AnyTask& task : tasks) {
    if (!task.done() || task.cancelled() || task.exception() == nullptr) continue;
    report({"unhandled exception while the loop ended its tasks", task.exception(), task});
  }
}

void LoopState::end_generators() {
  try {
    loop.run_until_complete([this] { GeneratorBase::close_all(*space); });
  } catch (const Deadlock&) {  // one of them waits for ever
  }
}

void LoopState::run_ticks(int count) {
  while (count-- > 0) {
    stop();
    run_forever();
  }
}

void LoopState::close() {
  if (closed) return;
  check_thread("close");
  if (SchedulerDoor::is_running(scheduler)) {
    throw RuntimeError("close: the loop runs; stop() it first");
  }
  const bool forked = is_another_process();
  // Not inside another loop: then they can't run, and are named when the scheduler goes.
  if (!forked && this_core == nullptr) {
    try {
      end_tasks();
      if (space->first_generator != nullptr) end_generators();
    } catch (const std::system_error& error) {
      warn("a Loop is closed that can't run any more: %s", error.what());
    } catch (const ResourceError& error) {
      warn("a Loop is closed that can't run any more: %s", error.what());
    }
  }
  for (auto& part : parts) part->shut_down(false);
  closed = true;
  GeneratorBase::abandon_all(*space);
  name_the_refusing();
  space->core = nullptr;  // who still holds a future of its is told so
  if (forked) {
    // The poller is the parent's too. A thread that is not here may be in the midst of a post.
    static_cast<void>(new std::shared_ptr<PostQueue>(posts));
  } else {
    poller->watch(posts->fd(), 0, 0);
    for (PostNode* node = posts->close(); node != nullptr;) {
      auto& call = static_cast<PostedCallback&>(*node);
      node = node->next;
      call.dispose();
    }
  }
  drop_queues();
}

/// Of tasks that are never going to end, nor to be known any more.
void LoopState::name_the_refusing() noexcept {
  const std::size_t count = space->task_count;
  for (TaskBase* task = space->first_task; task != nullptr; task = task->next_task()) {
    task->stop_watching();
  }
  if (count == 0) return;
  SchedulerDoor::name_no_abandoned(scheduler);
  try {
    warn_text("a Loop is closed, but " + std::to_string(count) +
              (count == 1 ? " task has" : " tasks have") +
              " not ended; the stacks and what they hold are left as they are\n" +
              parked_tasks_text(*space));
  } catch (const std::exception&) {
    warn("a Loop is closed, but %zu tasks have not ended", count);
  }
}

/// Destroys what will not be called any more. That may call cancel() on the rest.
void LoopState::drop_queues() noexcept {
  timers.clear([&](TimerNode& node) {
    core.ready.give_up();
    static_cast<Timer&>(node).dispose();
  });
  descriptors->close();
  ReadyQueue& ready = core.ready;
  for (std::uint64_t place = ready.head; place != ready.tail; ++place) {
    Entry& entry = ready.slots[place & ready.mask];
    if (entry.is_fiber() || entry.is_job()) continue;  // the scheduler's
    std::exchange(entry, Entry(nothing)).callback().dispose();
  }
}

}  // namespace jumpcut::impl
