// A process that this one started.

#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <sys/types.h>

namespace jumpcut::impl {

/// It is seen to end by a descriptor of its own, and reaped then: no zombie is left. Destroyed
/// while it runs, it is killed. A loop's thread's.
class ChildProcess {
 public:
  ChildProcess() noexcept = default;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { end(); }

  /// It runs. Has the loop call ended() once it is reaped, which is not at once. If the loop ends
  /// first, or this throws, it is killed and reaped without. The loop keeps `owner`, whose part
  /// this is, as long.
  void watch(pid_t pid, std::shared_ptr<void> owner, std::function<void()> ended);
  /// Nothing if it has ended. Throws std::system_error that names the call.
  void send_signal(const char* call, int signal) const;
  /// False if it runs on: it may have become another user's.
  bool kill() const noexcept;

  pid_t pid() const noexcept { return pid_; }
  /// What it exited with, or minus the signal that ended it; none while nobody has seen it end.
  std::optional<int> returncode() const noexcept { return returncode_; }

 private:
  class Watch;

  bool reap(int options) noexcept;
  void look();
  void end() noexcept;

  pid_t pid_ = -1;
  int descriptor_ = -1;  // the process's own, readable when it has ended
  std::optional<int> returncode_;
  std::function<void()> ended_;
  pid_t parent_ = -1;
};

}  // namespace jumpcut::impl
