#include <jumpcut/lowlevel/overflow.hpp>

#include "stack/signal_text.hpp"
#include "stack/slab_table.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <system_error>

#include <sys/syscall.h>
#include <unistd.h>

namespace jumpcut::lowlevel {

namespace {

constinit std::atomic<StackNamer> namer{nullptr};

// What was there before ours. Written before ours is installed, so the handler reads without a
// lock.
struct sigaction previous;
constinit std::atomic<bool> previous_is_used_up{false};  // SA_RESETHAND: it was called once

constinit std::mutex installing;
bool installed = false;

void handle(int signal, siginfo_t* info, void* context) noexcept;

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &handle;
}

bool has_function(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

// With the default action in place, a fault happens again as soon as the handler returns, and ends
// the process there with its registers as they were. A signal that somebody sent has to be sent
// again.
void fall_back_to_default(int signal, siginfo_t* info) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  if (info->si_code > 0) return;
  if (syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info) != 0) {
    (void)raise(signal);
  }
}

// As the system would have called it, but for the stack: ours is the one that surely has room.
void call_previous(int signal, siginfo_t* info, void* context) noexcept {
  const bool callable = has_function(previous);
  const bool once = (previous.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
  if (!callable || (once && previous_is_used_up.exchange(true))) {
    // The system lets nobody ignore a fault; a signal that was sent can be.
    bool ignored = !callable && previous.sa_handler == SIG_IGN;
    if (!ignored || info->si_code > 0) fall_back_to_default(signal, info);
    return;
  }
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, &previous.sa_mask, &mask);
  if ((previous.sa_flags & SA_NODEFER) != 0) {
    sigset_t deferred;
    sigemptyset(&deferred);
    sigaddset(&deferred, signal);
    pthread_sigmask(SIG_UNBLOCK, &deferred, nullptr);
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

// Not SIGBUS: it is for files that end before their mapping does, never for a guard.
void handle(int signal, siginfo_t* info, void* context) noexcept {
  int error = errno;
  // MADV_GUARD_INSTALL says "no mapping" here, mprotect "no access"; nothing else has an address.
  if (info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR) {
    char text[512];
    std::size_t length = describe_fault(info->si_addr, text, sizeof text);
    if (length > 0) (void)!write(STDERR_FILENO, text, length);
  }
  call_previous(signal, info, context);
  errno = error;
}

}  // namespace

StackNamer name_stacks_with(StackNamer function) noexcept {
  return namer.exchange(function);
}

std::size_t describe_fault(const void* address, char* buffer, std::size_t size) noexcept {
  impl::Place place;
  // Whoever hits the guard above the last stack has not used up one.
  if (!impl::find_stack(address, place) || !place.in_guard) return 0;
  char name[128];
  std::size_t length = 0;
  if (StackNamer find = namer.load()) {
    length = std::min(find(place.stack, name, sizeof name), sizeof name);
  }
  impl::SignalText line(buffer, size);
  line.text("jumpcut: stack overflow");
  if (length > 0) line.text(" in fiber '").text(name, length).text("'");
  line.text(length > 0 ? ": its stack of " : ": a stack of ")
      .number(place.stack_size)
      .text(" bytes [");
  line.address(place.stack.low).text(", ").address(place.stack.top);
  line.text(") is used up (fault at ").address(address).text(", ");
  auto below = place.stack.low - static_cast<const std::byte*>(address);
  line.number(static_cast<std::uint64_t>(below)).text(" bytes below it); ");
  line.text("give it more with {.stack_size = ")
      .number(std::min(place.stack_size * 4, StackPool::max_stack_size));
  line.text("}, or make the deep call by run_on_big_stack");
  return line.end_line();
}

void install_overflow_handler() {
  const char* wanted = std::getenv("JUMPCUT_OVERFLOW");
  if (wanted != nullptr && std::strcmp(wanted, "off") == 0) return;
  std::scoped_lock lock(installing);
  struct sigaction now {};
  if (sigaction(SIGSEGV, nullptr, &now) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction(SIGSEGV)");
  }
  // Whoever replaced ours may call it: once more on top, and the two would call each other for
  // ever.
  if (installed && (is_ours(now) || has_function(now))) return;
  previous = now;  // before the first fault can come
  previous_is_used_up = false;
  struct sigaction ours {};
  ours.sa_sigaction = &handle;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  if (sigaction(SIGSEGV, &ours, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction(SIGSEGV)");
  }
  installed = true;
}

void uninstall_overflow_handler() noexcept {
  std::scoped_lock lock(installing);
  struct sigaction now {};
  if (!installed || sigaction(SIGSEGV, nullptr, &now) != 0 || !is_ours(now)) return;
  if (sigaction(SIGSEGV, &previous, nullptr) == 0) installed = false;
}

}  // namespace jumpcut::lowlevel
