#include "loop/signals.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>

#include "base/system_error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace jumpcut {

namespace impl {

namespace {

/// Whom each signal is for. All of the process's loops share them.
constinit std::array<std::atomic<SignalCall*>, NSIG> owners{};
/// The handlers that run now: on whichever thread the signal came.
constinit std::atomic<int> handlers{0};

std::string describe(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

void check_signal(int signal) {
  const std::string head = "add_signal_handler: ";
  if (signal < 1 || signal >= NSIG) {
    throw ValueError(head + std::to_string(signal) + " is not the number of a signal");
  }
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
      throw RuntimeError(head + describe(signal) + " can't be caught");
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      throw RuntimeError(head + describe(signal) +
                         " comes of the instruction that runs, which would be run again and again "
                         "until the loop's turn: handle it by sigaction()");
    case SIGURG:
      throw RuntimeError(head +
                         "SIGURG is the watchdog's, which looks by it where a stuck task is");
    default:
      break;
  }
}

}  // namespace

SignalCall* SignalCall::install(LoopState& loop, int signal, Ref<LoopHandle> function) {
  struct Deleter {
    void operator()(SignalCall* call) const noexcept { delete call; }
  };
  std::unique_ptr<SignalCall, Deleter> call(new SignalCall(loop, signal, std::move(function)));
  SignalCall* nobody = nullptr;
  auto& owner = owners[static_cast<std::size_t>(signal)];
  if (!owner.compare_exchange_strong(nobody, call.get())) {
    throw RuntimeError("add_signal_handler: another loop has " + describe(signal) +
                       "; a signal is for one loop of the process");
  }
  struct sigaction action = {};
  action.sa_handler = &handle;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, &call->before_) != 0) {
    const int error = errno;
    owner.store(nullptr);
    throw_system_error(error, "add_signal_handler: %s", describe(signal).c_str());
  }
  loop.outsiders->signals.fetch_add(1, std::memory_order_relaxed);
  return call.release();
}

void SignalCall::uninstall() noexcept {
  struct sigaction now = {};
  // Somebody may have set another one meanwhile, and that is to stay.
  if (sigaction(signal_, nullptr, &now) == 0 && now.sa_handler == &handle) {
    sigaction(signal_, &before_, nullptr);
  }
  owners[static_cast<std::size_t>(signal_)].store(nullptr);
  while (handlers.load() != 0) {
  }
  outsiders_->signals.fetch_sub(1, std::memory_order_relaxed);
  removed_ = true;
  function_->cancel();
  if (!runs_ && came_.load() == 0) delete this;
}

void SignalCall::replace(Ref<LoopHandle> function) noexcept {
  std::exchange(function_, std::move(function))->cancel();
}

void SignalCall::forget_all() noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    const SignalCall* call = owners[static_cast<std::size_t>(signal)].exchange(nullptr);
    if (call == nullptr) continue;
    struct sigaction now = {};
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler != &handle) continue;
    struct sigaction action = call->before_;
    if (signal == SIGINT) action.sa_handler = SIG_IGN;
    sigaction(signal, &action, nullptr);
  }
  handlers.store(0);  // those of threads that are not here
}

void SignalCall::handle(int signal) {
  const int error_number = errno;
  handlers.fetch_add(1);
  SignalCall* call = owners[static_cast<std::size_t>(signal)].load();
  if (call != nullptr && call->came_.fetch_add(1) == 0) call->posts_->push(*call);
  handlers.fetch_sub(1);
  errno = error_number;
}

void SignalCall::run() {
  runs_ = true;
  // Once for each time that the signal was delivered; the function may remove or replace itself.
  for (int times = came_.exchange(0); times > 0 && !removed_; --times) {
    const Ref<LoopHandle> function = function_;
    function->run();
  }
}

/// After run(), or if that will never be.
void SignalCall::dispose() noexcept {
  const bool ran = std::exchange(runs_, false);
  if (!ran) came_.store(0);
  if (removed_ && came_.load() == 0) delete this;
}

SignalCalls* SignalCalls::find(LoopState& loop) noexcept {
  for (const auto& part : loop.parts) {
    if (auto* found = dynamic_cast<SignalCalls*>(part.get())) return found;
  }
  return nullptr;
}

SignalCalls& SignalCalls::of(LoopState& loop) {
  if (SignalCalls* found = find(loop)) return *found;
  loop.parts.push_back(std::make_unique<SignalCalls>(loop));
  return static_cast<SignalCalls&>(*loop.parts.back());
}

void SignalCalls::add(int signal, Ref<LoopHandle> function) {
  check_signal(signal);
  function->keep();
  const auto place = calls_.find(signal);
  if (place != calls_.end()) return place->second->replace(std::move(function));
  const auto fresh = calls_.emplace(signal, nullptr).first;
  try {
    fresh->second = SignalCall::install(loop_, signal, std::move(function));
  } catch (...) {
    calls_.erase(fresh);
    throw;
  }
}

bool SignalCalls::remove(int signal) noexcept {
  const auto place = calls_.find(signal);
  if (place == calls_.end()) return false;
  SignalCall* call = place->second;
  calls_.erase(place);
  call->uninstall();
  return true;
}

void SignalCalls::shut_down(bool may_wait) {
  if (may_wait) return;
  while (!calls_.empty()) remove(calls_.begin()->first);
}

}  // namespace impl

void Loop::handle_signal(int signal, impl::Ref<impl::LoopHandle> handle) {
  impl::SignalCalls::of(*state_).add(signal, std::move(handle));
}

bool Loop::remove_signal_handler(int signal) {
  if (state_->closed) return false;
  state_->check_thread("remove_signal_handler");
  impl::SignalCalls* calls = impl::SignalCalls::find(*state_);
  return calls != nullptr && calls->remove(signal);
}

}  // namespace jumpcut
