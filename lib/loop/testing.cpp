#include <jumpcut/testing.hpp>

#include <jumpcut/sleep.hpp>

#include "base/check.hpp"
#include "loop/loop_state.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace jumpcut::testing {

namespace {

/// How many tasks of this thread are in wait_all_blocked(): they don't count for each other.
thread_local std::size_t waiting_for_all = 0;

std::optional<std::uint64_t> seed_of_environment() {
  const char* text = std::getenv("JUMPCUT_SEED");
  if (text == nullptr || *text == '\0') return std::nullopt;
  std::uint64_t seed = 0;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, seed);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    throw ValueError(std::string("JUMPCUT_SEED is '") + text + "', which is no number");
  }
  return seed;
}

}  // namespace

std::chrono::nanoseconds elapsed() {
  return jumpcut::impl::loop_now("elapsed").time_since_epoch();
}

void wait_all_blocked() {
  struct Counted {
    Counted() noexcept { ++waiting_for_all; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --waiting_for_all; }
  } const counted;
  const jumpcut::impl::Core& core =
      *jumpcut::impl::TaskBase::running("wait_all_blocked").space().core;
  do {
    jumpcut::impl::TaskBase::yield("wait_all_blocked");
  } while (core.ready.size() >= waiting_for_all);
}

namespace impl {

RunOptions Watch::run_options() {
  RunOptions run_options;
  run_options.loop = options_.loop;
  run_options.clock = &clock_;
  run_options.seed = options_.seed;
  run_options.debug = options_.debug;
  run_options.handle_sigint = false;
  return run_options;
}

void Watch::begin() {
  if (options_.allow_unhandled_errors) return;
  get_running_loop().set_exception_handler([this](const ErrorContext& context) {
    if (!errors_.empty()) errors_ += '\n';
    errors_ += context.describe();
  });
}

void Watch::end() {
  if (options_.allow_leaked_tasks) return;
  const AnyTask self = current_task();
  for (const AnyTask& task : all_tasks()) {
    if (task == self) continue;
    leaked_ += "\n  task '" + task.name() + "'";
    const std::string what = task.waiting_for();
    if (!what.empty()) leaked_ += " waits for " + what;
  }
}

void Watch::check() const {
  if (!leaked_.empty()) {
    throw LeakedTasks(
        "the test's body returned while tasks were not done (await them, cancel and await them, or "
        "set allow_leaked_tasks):" +
        leaked_);
  }
  if (!errors_.empty()) throw UnhandledErrors(errors_);
}

void for_each_seed(std::size_t seeds, const std::function<void(std::uint64_t)>& function) {
  if (const auto wanted = seed_of_environment()) return function(*wanted);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    try {
      function(seed);
    } catch (...) {
      jumpcut::impl::warn("explore: seed %llu fails; JUMPCUT_SEED=%llu runs it again",
                          static_cast<unsigned long long>(seed),
                          static_cast<unsigned long long>(seed));
      throw;
    }
  }
}

}  // namespace impl

}  // namespace jumpcut::testing
