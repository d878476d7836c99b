#include "loop/interrupt.hpp"

#include <cerrno>

namespace jumpcut::impl {

namespace {

/// The one that has the signal.
constinit std::atomic<InterruptGuard*> active{nullptr};

}  // namespace

/// Waits in the guard for the signal, which may not allocate.
class InterruptGuard::Notice final : public PostedCallback {
 public:
  explicit Notice(InterruptGuard& guard) noexcept : guard_(&guard) {}

  void run() override {
    if (guard_ != nullptr) guard_->tell_main();
  }
  void dispose() noexcept override { delete this; }
  void forget_guard() noexcept { guard_ = nullptr; }

 private:
  InterruptGuard* guard_;
};

InterruptGuard::InterruptGuard(LoopState& loop, const AnyTask& main, bool wanted)
    : loop_(loop), main_(main) {
  if (!wanted) return;
  if (sigaction(SIGINT, nullptr, &before_) != 0 || before_.sa_handler != SIG_DFL) return;
  InterruptGuard* none = nullptr;
  if (!active.compare_exchange_strong(none, this)) return;
  notice_ = new Notice(*this);
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
  if (count_.load() == 0) {
    delete notice_;
  } else {
    notice_->forget_guard();
  }
}

void InterruptGuard::handle(int) {
  InterruptGuard* guard = active.load();
  if (guard == nullptr) return;
  const int error_number = errno;
  switch (guard->count_.fetch_add(1)) {
    case 0:
      guard->loop_.posts->push(*guard->notice_);
      break;
    case 1:
      guard->loop_.interrupted.store(true, std::memory_order_relaxed);
      guard->loop_.wake();
      break;
    default:
      sigaction(SIGINT, &guard->before_, nullptr);
      std::raise(SIGINT);
  }
  errno = error_number;
}

void InterruptGuard::tell_main() {
  CancelRequest request;
  request.reason = CancelReason::interrupt;
  told_ = true;
  main_.base("SIGINT").cancel(make_cancelled(std::move(request)));
}

}  // namespace jumpcut::impl
