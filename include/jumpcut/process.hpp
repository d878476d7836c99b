#pragma once

#include <jumpcut/impl/export.hpp>
#include <jumpcut/stream.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {
class ProcessState;
}  // namespace impl

/// Where a process's standard input comes from, or its output goes to.
enum class Stdio : std::uint8_t {
  inherit,    ///< this program's
  null,       ///< /dev/null
  pipe,       ///< a Stream of the Process
  to_stdout,  ///< standard error alone: wherever standard output goes
};

struct ProcessOptions {
  Stdio in = Stdio::inherit;
  Stdio out = Stdio::inherit;
  Stdio err = Stdio::inherit;
  std::string directory = {};  ///< where it begins; this program's if empty
  /// "NAME=value" each; none: this program's.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  bool new_session = false;  ///< signals of this program's terminal do not reach it
  StreamOptions stream = {};
};

class Process;
JUMPCUT_API Process create_subprocess_exec(const std::vector<std::string>& arguments,
                                           const ProcessOptions& options);

/// A program that runs beside this one: asyncio.subprocess.Process. What create_subprocess_exec()
/// returns; its loop's thread's.
///
/// It is waited for by a descriptor of its own, so SIGCHLD stays the program's, which must neither
/// ignore it nor reap what it did not start. When the Process is destroyed or the loop closed while
/// it runs, it is killed and reaped: no zombie is left.
class JUMPCUT_API Process {
 public:
  /// None.
  Process() noexcept = default;
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  int pid() const;
  /// What it ended with, or minus the signal that ended it; none while nobody has seen it end.
  std::optional<int> returncode() const;
  /// Returns once it has ended, even if others hold its pipes open: its returncode(). Throws
  /// Cancelled, and leaves it running. Don't wait for one that fills a pipe which nobody reads.
  int wait();
  /// Sends this to its standard input and closes that, reads its output to the end, and returns
  /// once it has ended: what came by standard output and by standard error, if those are pipes.
  /// That it does not read all is no error.
  std::pair<std::string, std::string> communicate(std::string_view input = {});

  /// Nothing if it has ended. Throws std::system_error.
  void send_signal(int signal);
  void terminate();
  void kill();

  /// The pipes that were asked for. Throw ValueError if that was not.
  Stream& in();
  Stream& out();
  Stream& err();

 private:
  friend Process create_subprocess_exec(const std::vector<std::string>& arguments,
                                        const ProcessOptions& options);
  explicit Process(std::shared_ptr<impl::ProcessState> state) noexcept : state_(std::move(state)) {}
  impl::ProcessState& state(const char* call) const;

  std::shared_ptr<impl::ProcessState> state_;
};

/// Starts a program, looked for in PATH, with these arguments, its own name first. It has none of
/// this program's descriptors but the three. Throws std::system_error that names the program if it
/// can't be started, ValueError without one, RuntimeError outside a task.
JUMPCUT_API Process create_subprocess_exec(const std::vector<std::string>& arguments,
                                           const ProcessOptions& options = {});
/// The same with a line for /bin/sh.
JUMPCUT_API Process create_subprocess_shell(const std::string& line,
                                            const ProcessOptions& options = {});

}  // namespace jumpcut
