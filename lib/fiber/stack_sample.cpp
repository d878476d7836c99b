#include "stack_sample.hpp"

#include <jumpcut/impl/core.hpp>

#include "base/backtrace.hpp"
#include "fiber/fiber_name.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

#include <sched.h>

namespace jumpcut::impl {

namespace {

constexpr int sample_signal = SIGURG;

enum class State : std::uint8_t { idle, asked, answering, answered, moved_on };

/// What the handler of the asked thread fills in.
struct Request {
  std::atomic<State> state{State::idle};
  pthread_t thread{};
  std::uint64_t step = 0;

  bool on_hub = false;
  std::uint64_t others = 0;
  std::array<char, 128> name{};
  std::size_t name_length = 0;
  std::array<std::uintptr_t, 128> frames{};
  std::size_t count = 0;
};

constinit Request request;
constinit struct sigaction previous {};
constinit std::atomic<bool> installed{false};

__attribute__((no_sanitize("thread"))) State answer() noexcept {
  const Core* core = this_core;
  if (core == nullptr || core->ready.head != request.step) return State::moved_on;
  request.on_hub = core->on_hub();
  request.others = core->ready.size();
  request.name_length =
      request.on_hub ? 0 : name_of_running(*core, request.name.data(), request.name.size());
  request.count = backtrace_interrupted(request.frames);
  if (request.count == 0) request.count = backtrace(request.frames);
  return State::answered;
}

/// The signal brings `request`: one that comes too late is still known from others'.
sigval token() noexcept {
  sigval value{};
  value.sival_ptr = &request;
  return value;
}

/// Answers, if it is the watchdog's. It comes with a value, so that one that is too late is known
/// from others'; but where no more signals can be queued for the user, it comes bare, from nobody,
/// and is known only by being waited for.
bool take(const siginfo_t& info) noexcept {
  const bool has_value = info.si_code == SI_QUEUE && info.si_value.sival_ptr == token().sival_ptr;
  const bool is_bare = info.si_code == SI_USER && info.si_pid == 0;
  if (!has_value && !is_bare) return false;
  State asked = State::asked;
  if (request.state.load(std::memory_order_acquire) != State::asked ||
      pthread_equal(request.thread, pthread_self()) == 0 ||
      !request.state.compare_exchange_strong(asked, State::answering)) {
    return has_value;
  }
  request.state.store(answer(), std::memory_order_release);
  return true;
}

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    if (previous.sa_sigaction != nullptr) previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  }
}

void handle(int signal, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  if (!take(*info)) pass_on(signal, info, context);
  errno = error;
}

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &handle;
}

}  // namespace

void StackSampler::install() {
  struct sigaction now {};
  if (installed) return;
  std::array<std::uintptr_t, 1> warm{};
  backtrace(warm);  // loads what the unwinder needs, which a handler may not
  if (sigaction(sample_signal, nullptr, &now) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction(SIGURG)");
  }
  previous = now;
  struct sigaction ours {};
  ours.sa_sigaction = &handle;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&ours.sa_mask);
  if (sigaction(sample_signal, &ours, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction(SIGURG)");
  }
  installed = true;
}

bool StackSampler::ask(pthread_t thread, std::uint64_t step) noexcept {
  struct sigaction now {};
  if (sigaction(sample_signal, nullptr, &now) != 0 || !is_ours(now)) return false;
  request.thread = thread;
  request.step = step;
  request.state.store(State::asked, std::memory_order_release);
  if (pthread_sigqueue(thread, sample_signal, token()) == 0) return true;
  request.state = State::idle;
  return false;
}

StackSampler::Answer StackSampler::wait_for(StackSample& sample) {
  State state = State::asked;
  for (int tries = 0; tries < 1000 && state == State::asked; ++tries) {
    const timespec pause{0, 200'000};
    nanosleep(&pause, nullptr);
    state = request.state.load(std::memory_order_acquire);
  }
  // From here on a late handler finds nothing to do; one that has begun ends soon.
  if (state == State::asked && request.state.compare_exchange_strong(state, State::idle)) {
    return Answer::none;
  }
  while ((state = request.state.load(std::memory_order_acquire)) == State::answering) sched_yield();
  if (state == State::answered) {
    sample.on_hub = request.on_hub;
    sample.others = request.others;
    sample.name.assign(request.name.data(), request.name_length);
    const std::size_t count = std::min(request.count, request.frames.size());
    sample.frames.assign(request.frames.begin(),
                         request.frames.begin() + static_cast<std::ptrdiff_t>(count));
  }
  request.state = State::idle;
  return state == State::answered ? Answer::sampled : Answer::moved_on;
}

}  // namespace jumpcut::impl
