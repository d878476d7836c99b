#include "loop/loop_state.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/impl/generator_base.hpp>

#include "base/check.hpp"
#include "loop/deadlock.hpp"
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
  if (options.clock == &SteadyClock::instance()) options.clock = nullptr;
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
    const Posted& posted = *posted_;
    run_callback(
        *this_core->tasks, context_, "call_soon_threadsafe",
        [](void* self) { static_cast<Posted*>(self)->call(); }, posted_.get(), typeid(posted));
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
      poller(make_poller()),
      descriptors(std::make_shared<Descriptors>(core, *poller, turning_bit)) {
  poller->watch(posts->fd(), PollEvent::readable, static_cast<std::uint32_t>(posts->fd()));
  space = new TaskSpace(core);
  space->loop = &loop;
  static std::atomic<std::uint64_t> loops{0};
  space->loop_number = loops.fetch_add(1, std::memory_order_relaxed) + 1;
  set_debug(options.debug);
  space->eager = options.eager;
  space->report = [](TaskSpace& where, std::string_view message, std::exception_ptr error,
                     FutureBase* future) noexcept {
    try {
      std::string created;
      if (future != nullptr && future->is_task()) {
        created = TaskOrigins::text(static_cast<const TaskBase&>(*future));
      }
      const ErrorContext context{std::string(message), std::move(error),
                                 AnyFuture(Ref<FutureBase>(future)), std::move(created)};
      if (where.loop == nullptr) return Loop::default_exception_handler(context);
      of(*where.loop).report(context);
    } catch (...) {
      warn("no memory to report: %.*s", static_cast<int>(message.size()), message.data());
    }
  };
  core.tasks = space;
  if (options.seed.has_value()) random_.emplace(*options.seed);
}

LoopState::~LoopState() {
  space->close();
}

LoopState& LoopState::running(const char* call) {
  return of(*running_space(call).loop);
}

void LoopState::check_open(const char* call) const {
  if (closed) throw LoopClosed(std::string(call) + ": the loop is closed");
}

void LoopState::check_thread(const char* call) const {
  if (core.on_its_thread()) return;
  throw RuntimeError(std::string(call) +
                     ": this loop belongs to another thread; use call_soon_threadsafe");
}

void LoopState::check_can_run(const char* call) const {
  check_open(call);
  if (!core.on_its_thread()) {
    throw RuntimeError(std::string(call) +
                       ": this loop belongs to the thread that made it; run it there");
  }
  if (this_core != nullptr) {
    throw RuntimeError(std::string(call) +
                       ": a loop runs in this thread already; await what you want to run, or start "
                       "a thread for the other loop");
  }
  if (is_another_process()) {
    throw RuntimeError(std::string(call) +
                       ": this loop belongs to the process that forked this one; make a new one");
  }
}

void LoopState::run_forever() {
  check_can_run("run_forever");
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

void LoopState::post(std::unique_ptr<Posted> posted) {
  if (!core.on_its_thread()) {
    if (post_to(*posts, std::move(posted))) return;
    throw LoopClosed("call_soon_threadsafe: the loop is closed");
  }
  check_open("call_soon_threadsafe");
  // In its order among call_soon()'s.
  auto call = std::make_unique<PostedCall>(std::move(posted));
  core.ready.reserve();
  core.ready.push(Entry(*call.release()));
}

void LoopState::wake_for_interrupt() noexcept {
  core.attention.fetch_or(interrupt_bit, std::memory_order_release);
  const std::uint64_t one = 1;
  // If it is full, the loop will be woken anyway.
  static_cast<void>(!write(posts->fd(), &one, sizeof one));
}

[[gnu::hot]] void LoopState::take_posts() {
  PostNode* node = posts->drain();
  while (node != nullptr) {
    auto& call = static_cast<PostedCallback&>(*node);
    node = node->next;
    core.ready.reserve();
    core.ready.push(Entry(call));
  }
}

void LoopState::report(const ErrorContext& context) noexcept {
  if (handler == nullptr) return Loop::default_exception_handler(context);
  ContextCell*& place = TaskBase::context_place();
  ContextCell* before = place;
  if (context.future && context.future.base("report").is_task()) {
    place = &static_cast<TaskBase&>(context.future.base("report")).context_cell();
  }
  try {
    const ExceptionHandler kept = handler;  // it may set another one
    kept(context);
  } catch (const std::exception& error) {
    warn("the exception handler itself threw: %s", error.what());
    Loop::default_exception_handler(context);
  } catch (...) {
    warn("the exception handler itself threw");
    Loop::default_exception_handler(context);
  }
  TaskBase::context_place() = before;
}

void LoopState::set_debug(bool debug) noexcept {
  space->debug = debug;
  core.observe_steps(debug ? &slow_steps_ : nullptr);
  core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
}

}  // namespace jumpcut::impl
