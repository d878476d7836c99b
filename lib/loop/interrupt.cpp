#include "loop/interrupt.hpp"

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>

#include "loop/loop_state.hpp"

#include <cerrno>
#include <utility>

#include <unistd.h>

namespace jumpcut::impl {

namespace {

/// The one that has the signal.
constinit std::atomic<InterruptGuard*> active{nullptr};
/// The handlers that run now: on whichever thread the signal came.
constinit std::atomic<int> handlers{0};

}  // namespace

InterruptGuard::InterruptGuard(LoopState& loop, const AnyFuture& main, bool wanted)
    : loop_(loop), main_(main) {
  if (!wanted || gettid() != getpid()) return;
  if (sigaction(SIGINT, nullptr, &before_) != 0 || before_.sa_handler != SIG_DFL) return;
  loop_.interrupt_guard = this;
  active.store(this);
  struct sigaction action = {};
  action.sa_handler = &handle;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  installed_ = true;
}

InterruptGuard::~InterruptGuard() {
  if (!installed_) return;
  sigaction(SIGINT, &before_, nullptr);
  active.store(nullptr);
  while (handlers.load() != 0) {
  }
  loop_.interrupt_guard = nullptr;
}

void InterruptGuard::handle(int) {
  const int error_number = errno;
  handlers.fetch_add(1);
  if (InterruptGuard* guard = active.load()) {
    if (guard->count_.fetch_add(1) < 2) {
      guard->loop_.wake_for_interrupt();
    } else {
      sigaction(SIGINT, &guard->before_, nullptr);
      std::raise(SIGINT);
    }
  }
  handlers.fetch_sub(1);
  errno = error_number;
}

void InterruptGuard::forget() noexcept {
  if (active.exchange(nullptr) != nullptr) std::signal(SIGINT, SIG_IGN);
  handlers.store(0);  // that of a thread that is not here
}

void InterruptGuard::take() {
  const int count = count_.load();
  if (std::exchange(taken_, count) == 0 && count > 0) {
    CancelRequest request;
    request.reason = CancelReason::interrupt;
    told_ = main_.base("SIGINT").cancel(make_cancelled(std::move(request)));
  }
  if (count > 1) throw Interrupted("interrupted by a second SIGINT, while tasks were ending");
}

}  // namespace jumpcut::impl
