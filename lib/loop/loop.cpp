#include <jumpcut/loop.hpp>

#include "base/check.hpp"
#include "base/error_text.hpp"
#include "loop/loop_state.hpp"
#include "loop/stop_when_done.hpp"

#include <string>
#include <utility>

namespace jumpcut {

Loop::Loop(const LoopOptions& options)
    : state_(std::make_unique<impl::LoopState>(*this, options)) {}

Loop::~Loop() {
  try {
    close();
  } catch (const std::exception& error) {
    impl::fail("a Loop is destroyed that can't be closed: %s", error.what());
  }
}

void Loop::run_forever() {
  state_->run_forever();
}

void Loop::run_until_done(const AnyFuture& future) {
  impl::FutureBase& awaited = future.base("run_until_complete");
  check_can_run("run_until_complete");
  if (&awaited.space() != state_->space) {
    throw RuntimeError("run_until_complete: " + awaited.describe() + " belongs to another loop");
  }
  impl::StopWhenDone stop(*state_);
  stop.add(awaited);
  run_forever();
  if (!awaited.is_done()) {
    throw RuntimeError("run_until_complete: the loop was stopped before " + awaited.describe() +
                       " was done");
  }
}

void Loop::check_can_run(const char* call) const {
  state_->check_can_run(call);
}

void Loop::stop() {
  state_->check_thread("stop");
  state_->stop();
}

bool Loop::is_running() const noexcept {
  return impl::SchedulerDoor::is_running(state_->scheduler);
}

void Loop::close() {
  state_->close();
}

bool Loop::is_closed() const noexcept {
  return state_->closed;
}

TimePoint Loop::time() const {
  return state_->now();
}

void Loop::set_exception_handler(ExceptionHandler handler) {
  state_->check_thread("set_exception_handler");
  state_->handler = std::move(handler);
}

const ExceptionHandler& Loop::get_exception_handler() const noexcept {
  return state_->handler;
}

void Loop::call_exception_handler(const ErrorContext& context) noexcept {
  state_->report(context);
}

void Loop::default_exception_handler(const ErrorContext& context) noexcept {
  try {
    impl::warn_text(context.describe());
  } catch (...) {
    impl::warn("no memory to describe an error");
  }
}

std::string ErrorContext::describe() const {
  std::string text = message.empty() ? "unhandled exception in the loop" : message;
  if (future) text += ", of " + future.base("describe").describe();
  if (exception != nullptr) text += ": " + impl::error_text(exception);
  if (!created.empty()) text += "; it was created by\n" + created.substr(0, created.size() - 1);
  return text;
}

void Loop::set_debug(bool debug) {
  state_->check_thread("set_debug");
  state_->set_debug(debug);
}

bool Loop::get_debug() const noexcept {
  return state_->space->debug;
}

LoopStats Loop::stats() const {
  state_->check_thread("stats");
  LoopStats stats;
  stats.ready = state_->core.ready.size();
  stats.timers = state_->timers.size();
  stats.io = state_->descriptors->size();
  stats.tasks = state_->space->task_count;
  stats.ticks = state_->core.ticks;
  stats.polls = state_->polls;
  stats.swallowed_cancellations = state_->space->swallowed_cancellations;
  stats.stalls = state_->stalls();
  stats.repeated_callbacks = state_->outsiders->repeated.load(std::memory_order_relaxed);
  return stats;
}

impl::TaskSpace& Loop::space(const char* call) const {
  state_->check_open(call);
  state_->check_thread(call);
  return *state_->space;
}

impl::Ref<impl::LoopHandle> Loop::watch(int fd, bool writing, impl::Ref<impl::LoopHandle> handle) {
  return state_->descriptors->watch(fd, writing, std::move(handle));
}

bool Loop::unwatch(int fd, bool writing) {
  if (state_->closed) return false;
  state_->check_thread(writing ? "remove_writer" : "remove_reader");
  return state_->descriptors->unwatch(fd, writing);
}

void Loop::post(std::unique_ptr<impl::Posted> posted) {
  state_->post(std::move(posted));
}

Loop& get_running_loop() {
  return *impl::running_space("get_running_loop").loop;
}

}  // namespace jumpcut
