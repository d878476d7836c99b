#include "loop/loop_state.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/impl/generator_base.hpp>

#include "base/check.hpp"
#include "loop/deadlock.hpp"
#include "loop/shutdown.hpp"
#include "task/task_origins.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <unistd.h>

namespace jumpcut::impl {

namespace {

LoopOptions with_environment(LoopOptions options, VirtualClock& own_clock) {
  const char* debug = std::getenv("JUMPCUT_DEBUG");
  if (debug != nullptr && *debug != '\0' && std::strcmp(debug, "0") != 0) options.debug = true;
  const char* clock = std::getenv("JUMPCUT_CLOCK");
  if (clock != nullptr && options.clock == nullptr && std::strcmp(clock, "virtual") == 0) {
    options.clock = &own_clock;
  }
  const char* seed = std::getenv("JUMPCUT_SEED");
  if (seed != nullptr && *seed != '\0' && !options.seed.has_value()) {
    std::uint64_t number = 0;
    const char* end = seed + std::strlen(seed);
    const auto parsed = std::from_chars(seed, end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      throw ValueError(std::string("JUMPCUT_SEED is '") + seed + "', which is no number");
    }
    options.seed = number;
  }
  return options;
}

lowlevel::SchedulerOptions scheduler_options(const LoopOptions& options) {
  lowlevel::SchedulerOptions result;
  result.stacks = options.stacks;
  result.attached = false;
  return result;
}

/// What another thread handed over, with that thread's context.
class PostedCall final : public PostedCallback {
 public:
  explicit PostedCall(std::unique_ptr<Posted> posted) : posted_(std::move(posted)) {}

  void run() override {
    run_callback(
        *this_core->tasks, context_, "call_soon_threadsafe",
        [](void* posted) { static_cast<Posted*>(posted)->call(); }, posted_.get(),
        typeid(*posted_.get()));
  }
  void dispose() noexcept override { delete this; }

 private:
  std::unique_ptr<Posted> posted_;
  ContextCell context_{current_context()};
};

}  // namespace

LoopState::LoopState(Loop& owner, const LoopOptions& wanted)
    : loop(owner),
      options(with_environment(wanted, own_clock)),
      clock(options.clock == nullptr ? &SteadyClock::instance() : options.clock),
      scheduler(scheduler_options(options)),
      core(SchedulerDoor::core(scheduler)),
      space(nullptr),
      posts(std::make_shared<PostQueue>(core.attention, posted_bit)),
      poller(make_poller()) {
  space = new TaskSpace(core);
  space->loop = &loop;
  static std::atomic<std::uint64_t> loops{0};
  space->loop_number = loops.fetch_add(1, std::memory_order_relaxed) + 1;
  set_debug(options.debug);
  space->eager = options.eager;
  space->report = [](TaskSpace& where, std::string_view message, std::exception_ptr error,
                     FutureBase* future) noexcept {
    if (where.loop == nullptr) return;
    try {
      std::string created;
      if (future != nullptr && future->is_task()) {
        created = TaskOrigins::text(static_cast<const TaskBase&>(*future));
      }
      of(*where.loop)
          .report({std::string(message), std::move(error), AnyFuture(Ref<FutureBase>(future)),
                   std::move(created)});
    } catch (...) {
      warn("no memory to report: %.*s", static_cast<int>(message.size()), message.data());
    }
  };
  core.tasks = space;
  if (options.seed.has_value()) random_.emplace(*options.seed);
  poller->watch(posts->fd(), PollEvent::readable, static_cast<std::uint32_t>(posts->fd()));
}

LoopState::~LoopState() {
  space->close();
}

LoopState& LoopState::running(const char* call) {
  return of(*running_space(call).loop);
}

void LoopState::check_open(const char* call) const {
  if (closed) throw RuntimeError(std::string(call) + ": the loop is closed");
}

void LoopState::check_thread(const char* call) const {
  if (core.on_its_thread()) return;
  throw RuntimeError(std::string(call) +
                     ": this loop belongs to another thread; use call_soon_threadsafe");
}

void LoopState::run_forever() {
  check_open("run_forever");
  if (this_core != nullptr && core.on_its_thread()) {
    throw RuntimeError(
        "run_forever: a loop runs in this thread already; await what you want to run, or start a "
        "thread for the other loop");
  }
  if (options.watchdog && !heartbeat_.has_value() && clock == &SteadyClock::instance()) {
    heartbeat_.emplace(core, WatchOptions{.threshold = options.slow_callback_duration});
  }
  SchedulerDoor::while_running(
      scheduler, [](void* self) { static_cast<LoopState*>(self)->cycle(); }, this);
}

void LoopState::stop() noexcept {
  stopping = true;
  core.attention.fetch_or(stopping_bit, std::memory_order_relaxed);
}

bool post_to(PostQueue& queue, std::unique_ptr<Posted> posted) {
  auto call = std::make_unique<PostedCall>(std::move(posted));
  if (!queue.push(*call)) return false;
  static_cast<void>(call.release());
  return true;
}

bool LoopState::post(std::unique_ptr<Posted> posted) {
  return post_to(*posts, std::move(posted));
}

void LoopState::wake() noexcept {
  core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  // If it is full, the loop will be woken anyway.
  static_cast<void>(!write(posts->fd(), &one, sizeof one));
}

void LoopState::take_posts() {
  PostNode* node = posts->drain();
  while (node != nullptr) {
    auto& call = static_cast<PostedCallback&>(*node);
    node = node->next;
    core.ready.reserve();
    core.ready.push(Entry(call));
  }
}

Ref<LoopHandle> LoopState::watch(int fd, bool writing, Ref<LoopHandle> handle) {
  Watched& watched = watched_[fd];
  if (watched.generation == 0) watched.generation = ++generations_;
  const Ref<LoopHandle> before = std::exchange(writing ? watched.writer : watched.reader, handle);
  handle->keep();
  try {
    set_interest(fd, watched);
  } catch (...) {
    (writing ? watched.writer : watched.reader) = before;
    if (!watched.reader && !watched.writer) watched_.erase(fd);
    throw;
  }
  if (before) before->cancel();
  core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
  return handle;
}

bool LoopState::unwatch(int fd, bool writing) {
  const auto place = watched_.find(fd);
  if (place == watched_.end()) return false;
  Watched& watched = place->second;
  const Ref<LoopHandle> before = std::exchange(writing ? watched.writer : watched.reader, {});
  if (!before) return false;
  set_interest(fd, watched);
  if (!watched.reader && !watched.writer) watched_.erase(place);
  before->cancel();
  return true;
}

void LoopState::set_interest(int fd, Watched& watched) {
  const std::uint32_t interest =
      (watched.reader ? PollEvent::readable : 0u) | (watched.writer ? PollEvent::writable : 0u);
  poller->watch(fd, interest,
                std::uint64_t{watched.generation} << 32 | static_cast<std::uint32_t>(fd));
}

void LoopState::report(const ErrorContext& context) noexcept {
  if (handler == nullptr) return Loop::default_exception_handler(context);
  try {
    handler(context);
  } catch (const std::exception& error) {
    warn("the exception handler itself threw: %s", error.what());
    Loop::default_exception_handler(context);
  } catch (...) {
    warn("the exception handler itself threw");
    Loop::default_exception_handler(context);
  }
}

void LoopState::set_debug(bool debug) noexcept {
  space->debug = debug;
  core.observe_steps(debug ? &slow_steps_ : nullptr);
  core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
}

void LoopState::close() {
  if (closed) return;
  check_thread("close");
  if (SchedulerDoor::is_running(scheduler)) {
    throw RuntimeError("close: the loop runs; stop() it first");
  }
  closing = true;
  end_tasks();
  for (auto& part : parts) part->shut_down(false);
  closed = true;
  GeneratorBase::abandon_all(*space);
  name_the_refusing();
  drop_queues();
}

/// Cancels what is left and lets it end, for a while.
void LoopState::end_tasks() {
  if (this_core != nullptr) return;
  if (space->task_count == 0 && space->first_generator == nullptr) return;
  try {
    loop.run_until_complete([this] {
      cancel_all_tasks(*this, options.shutdown_timeout);
      GeneratorBase::close_all(*space);
    });
  } catch (const Deadlock&) {  // the rest is named when the scheduler goes
  }
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

void LoopState::drop_queues() noexcept {
  for (PostNode* node = posts->close(); node != nullptr;) {
    auto& call = static_cast<PostedCallback&>(*node);
    node = node->next;
    call.dispose();
  }
  timers.clear([&](TimerNode& node) {
    core.ready.give_up();
    static_cast<Timer&>(node).dispose();
  });
  for (auto& [fd, watched] : watched_) {
    if (watched.reader) watched.reader->cancel();
    if (watched.writer) watched.writer->cancel();
  }
  watched_.clear();
  ReadyQueue& ready = core.ready;
  for (; !ready.empty(); ready.pop()) {
    const Entry entry = ready.front();
    if (entry.is_fiber() || entry.is_job()) break;
    ready.give_up();
    entry.callback().dispose();
  }
}

}  // namespace jumpcut::impl
