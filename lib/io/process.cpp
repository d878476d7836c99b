#include <jumpcut/process.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/exception_group.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/task_group.hpp>

#include "base/check.hpp"
#include "base/system_error.hpp"
#include "io/spawn.hpp"
#include "io/waiters.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jumpcut {

namespace impl {

/// Held by the Process, by the loop's callback until the process is reaped, and by who waits.
class ProcessState : public std::enable_shared_from_this<ProcessState> {
 public:
  ProcessState() = default;
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;
  ~ProcessState();

  /// It runs. Has the loop tell of its end. If that throws, it is gone.
  void watch(pid_t pid);
  int wait();
  void send_signal(const char* call, int signal);
  bool kill() noexcept;

  pid_t pid() const noexcept { return pid_; }
  std::optional<int> returncode() const noexcept { return returncode_; }

  std::optional<Stream> in, out, err;

  class Watch;

 private:
  bool reap(int options) noexcept;
  void ended();
  void end() noexcept;

  Waiters waiters_{"process"};
  pid_t pid_ = -1;
  int descriptor_ = -1;  // the process's own, readable when it has ended
  std::optional<int> returncode_;
  const pid_t owner_ = getpid();
};

/// What the loop calls when the process has ended.
class ProcessState::Watch {
 public:
  explicit Watch(std::shared_ptr<ProcessState> state) noexcept : state_(std::move(state)) {}
  Watch(Watch&&) noexcept = default;
  /// Also if the loop ends first.
  ~Watch() {
    if (state_ != nullptr) state_->end();
  }
  void operator()() { state_->ended(); }

 private:
  std::shared_ptr<ProcessState> state_;
};

ProcessState::~ProcessState() {
  end();
}

/// Nobody tells of it any more.
void ProcessState::end() noexcept {
  // In a process that was forked it is not ours.
  if (pid_ >= 0 && !returncode_.has_value() && getpid() == owner_) {
    reap(kill() ? 0 : WNOHANG);
  }
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
}

void ProcessState::watch(pid_t pid) {
  pid_ = pid;
  descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor_ < 0) {
    if (errno == ESRCH && reap(WNOHANG)) return;  // it is gone already, reaped by somebody else
    throw_system_error(errno, "pidfd_open of process %d, which Linux has from 5.3 on", pid);
  }
  get_running_loop().add_reader(descriptor_, Watch(shared_from_this()));
}

/// True if it has ended, however.
bool ProcessState::reap(int options) noexcept {
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

void ProcessState::ended() {
  if (!reap(WNOHANG)) return;
  const auto self = shared_from_this();  // beyond the callback, which is removed
  get_running_loop().remove_reader(descriptor_);
  end();
  waiters_.wake_all();
}

int ProcessState::wait() {
  const auto self = shared_from_this();
  while (!returncode_.has_value()) waiters_.wait("wait");
  return *returncode_;
}

/// False if it runs on: it may have become another user's.
bool ProcessState::kill() noexcept {
  // Not reaped, so the number is not another's.
  if (returncode_.has_value() || ::kill(pid_, SIGKILL) == 0 || errno == ESRCH) return true;
  warn("process %d can't be killed, and runs on: %s", pid_, std::strerror(errno));
  return false;
}

void ProcessState::send_signal(const char* call, int signal) {
  if (returncode_.has_value()) return;
  if (::kill(pid_, signal) == 0 || errno == ESRCH) return;
  throw_system_error(errno, "%s: signal %d to process %d", call, signal, pid_);
}

}  // namespace impl

namespace {

void send_input(Stream& stream, std::string_view input) {
  try {
    stream.write(input);
    stream.close();
    stream.wait_closed();
  } catch (const std::system_error& error) {
    // It need not read all, or anything.
    if (error.code().value() != EPIPE && error.code().value() != ECONNRESET) throw;
    stream.close();
  }
}

Stream& checked(std::optional<Stream>& stream, const char* name) {
  if (stream.has_value()) return *stream;
  throw ValueError(std::string("Process.") + name + ": this is no pipe; start the process with {." +
                   name + " = Stdio::pipe}");
}

}  // namespace

Process& Process::operator=(Process&& other) noexcept {
  const Process before(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

Process::~Process() {
  if (state_ != nullptr) state_->kill();
}

impl::ProcessState& Process::state(const char* call) const {
  if (state_ != nullptr) return *state_;
  throw RuntimeError(std::string(call) + ": this Process refers to none");
}

int Process::pid() const {
  return state("pid").pid();
}

std::optional<int> Process::returncode() const {
  return state("returncode").returncode();
}

int Process::wait() {
  return state("wait").wait();
}

std::pair<std::string, std::string> Process::communicate(std::string_view input) {
  impl::ProcessState& state = this->state("communicate");
  const auto held = state.shared_from_this();
  if (!input.empty()) checked(state.in, "in");
  std::pair<std::string, std::string> output;
  try {
    task_group([&](TaskGroup& group) {
      if (state.in) group.create_task([&] { send_input(*state.in, input); });
      if (state.err) group.create_task([&] { output.second = state.err->read(); });
      if (state.out) output.first = state.out->read();
    });
  } catch (const ExceptionGroup& group) {
    std::rethrow_exception(group.exceptions().front());
  }
  state.wait();
  return output;
}

void Process::send_signal(int signal) {
  state("send_signal").send_signal("send_signal", signal);
}

void Process::terminate() {
  state("terminate").send_signal("terminate", SIGTERM);
}

void Process::kill() {
  state("kill").send_signal("kill", SIGKILL);
}

Stream& Process::in() {
  return checked(state("in").in, "in");
}

Stream& Process::out() {
  return checked(state("out").out, "out");
}

Stream& Process::err() {
  return checked(state("err").err, "err");
}

Process create_subprocess_exec(const std::vector<std::string>& arguments,
                               const ProcessOptions& options) {
  impl::TaskBase::running("create_subprocess_exec");
  const auto state = std::make_shared<impl::ProcessState>();
  impl::Spawn spawn(arguments, options);
  if (options.in == Stdio::pipe) state->in.emplace(spawn.take_pipe(0), options.stream);
  if (options.out == Stdio::pipe) state->out.emplace(spawn.take_pipe(1), options.stream);
  if (options.err == Stdio::pipe) state->err.emplace(spawn.take_pipe(2), options.stream);
  state->watch(spawn.start());
  return Process(state);
}

Process create_subprocess_shell(const std::string& line, const ProcessOptions& options) {
  return create_subprocess_exec({"/bin/sh", "-c", line}, options);
}

}  // namespace jumpcut
