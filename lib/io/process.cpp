#include <jumpcut/process.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/exception_group.hpp>
#include <jumpcut/task_group.hpp>

#include "io/child_process.hpp"
#include "io/spawn.hpp"
#include "io/waiters.hpp"

#include <cerrno>
#include <csignal>

#include <sys/types.h>

namespace jumpcut {

namespace impl {

/// Held by the Process, by the loop's callback until the process is reaped, and by who waits.
class ProcessState : public std::enable_shared_from_this<ProcessState> {
 public:
  /// It runs. If this throws, it is gone.
  void watch(pid_t pid) {
    child.watch(pid, shared_from_this(), [this] { waiters_.wake_all(); });
  }
  int wait() {
    const auto self = shared_from_this();
    while (!child.returncode().has_value()) waiters_.wait("wait");
    return *child.returncode();
  }

  std::optional<Stream> in, out, err;
  ChildProcess child;

 private:
  Waiters waiters_{"process"};
};

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
  if (state_ != nullptr) state_->child.kill();
}

impl::ProcessState& Process::state(const char* call) const {
  if (state_ != nullptr) return *state_;
  throw RuntimeError(std::string(call) + ": this Process refers to none");
}

int Process::pid() const {
  return state("pid").child.pid();
}

std::optional<int> Process::returncode() const {
  return state("returncode").child.returncode();
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
  state("send_signal").child.send_signal("send_signal", signal);
}

void Process::terminate() {
  state("terminate").child.send_signal("terminate", SIGTERM);
}

void Process::kill() {
  state("kill").child.send_signal("kill", SIGKILL);
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
