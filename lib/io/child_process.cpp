#include "io/child_process.hpp"

#include <jumpcut/loop.hpp>

#include "base/check.hpp"
#include "base/system_error.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jumpcut::impl {

/// What the loop calls when the process has ended.
class ChildProcess::Watch {
 public:
  Watch(ChildProcess& child, std::shared_ptr<void> owner) noexcept
      : child_(child), owner_(std::move(owner)) {}
  Watch(Watch&&) noexcept = default;
  /// Also if the loop ends first.
  ~Watch() {
    if (owner_ != nullptr) child_.end();
  }
  void operator()() {
    const auto held = owner_;  // beyond the callback, which is removed
    child_.look();
  }

 private:
  ChildProcess& child_;
  std::shared_ptr<void> owner_;
};

/// Nobody tells of it any more.
void ChildProcess::end() noexcept {
  // In a process that was forked it is not ours.
  if (pid_ >= 0 && !returncode_.has_value() && getpid() == parent_) {
    reap(kill() ? 0 : WNOHANG);
  }
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  ended_ = nullptr;
}

void ChildProcess::watch(pid_t pid, std::shared_ptr<void> owner, std::function<void()> ended) {
  pid_ = pid;
  parent_ = getpid();
  ended_ = std::move(ended);
  descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor_ >= 0) {
    get_running_loop().add_reader(descriptor_, Watch(*this, std::move(owner)));
  } else if (errno == ESRCH && reap(WNOHANG)) {
    // It is gone already, reaped by somebody else.
    get_running_loop().call_soon(
        [owner = std::move(owner), ended = std::move(ended_)] { ended(); });
  } else {
    throw_system_error(errno, "pidfd_open of process %d, which Linux has from 5.3 on", pid);
  }
}

/// True if it has ended, however.
bool ChildProcess::reap(int options) noexcept {
  siginfo_t info{};
  int result = 0;
  do {
    result = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | options);
  } while (result < 0 && errno == EINTR);
  if (result < 0) {
    warn(
        "process %d: its exit status is unknown, and taken for 255: somebody else reaped it, or "
        "SIGCHLD is ignored",
        pid_);
    returncode_ = 255;
    return true;
  }
  if (info.si_pid == 0) return false;
  returncode_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  return true;
}

void ChildProcess::look() {
  if (!reap(WNOHANG)) return;
  get_running_loop().remove_reader(descriptor_);
  const std::function<void()> ended = std::move(ended_);
  end();
  ended();
}

bool ChildProcess::kill() const noexcept {
  // Not reaped, so the number is not another's.
  if (pid_ < 0 || returncode_.has_value() || ::kill(pid_, SIGKILL) == 0 || errno == ESRCH) {
    return true;
  }
  warn("process %d can't be killed, and runs on: %s", pid_, std::strerror(errno));
  return false;
}

void ChildProcess::send_signal(const char* call, int signal) const {
  if (returncode_.has_value()) return;
  if (::kill(pid_, signal) == 0 || errno == ESRCH) return;
  throw_system_error(errno, "%s: signal %d to process %d", call, signal, pid_);
}

}  // namespace jumpcut::impl
