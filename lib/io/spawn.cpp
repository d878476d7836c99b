#include "io/spawn.hpp"

#include <jumpcut/error.hpp>

#include "base/system_error.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

void check_arguments(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().empty()) {
    throw ValueError("create_subprocess_exec: there is no program's name among the arguments");
  }
  for (const std::string& argument : arguments) {
    if (argument.find('\0') != std::string::npos) {
      throw ValueError("create_subprocess_exec: an argument of '" + arguments.front() +
                       "' has a zero byte in it");
    }
  }
}

}  // namespace

Spawn::Spawn(const std::vector<std::string>& arguments, const ProcessOptions& options)
    : arguments_(arguments), options_(options) {
  check_arguments(arguments);
  if (options.in == Stdio::to_stdout || options.out == Stdio::to_stdout) {
    throw ValueError("create_subprocess_exec: only standard error can go to_stdout");
  }
  add(posix_spawn_file_actions_init(&actions_), "init");
  const int error = posix_spawnattr_init(&attributes_);
  if (error != 0) {
    posix_spawn_file_actions_destroy(&actions_);
    add(error, "init");
  }
  try {
    set_place(STDIN_FILENO, options.in);
    set_place(STDOUT_FILENO, options.out);
    set_place(STDERR_FILENO, options.err);
  } catch (...) {
    clear();
    throw;
  }
}

void Spawn::clear() noexcept {
  for (int& end : theirs_) {
    if (end >= 0) close(std::exchange(end, -1));
  }
  posix_spawnattr_destroy(&attributes_);
  posix_spawn_file_actions_destroy(&actions_);
}

void Spawn::add(int error, const char* what) const {
  if (error != 0) {
    throw_system_error(error, "create_subprocess_exec of '%s': %s", arguments_.front().c_str(),
                       what);
  }
}

void Spawn::set_place(int place, Stdio wanted) {
  const auto index = static_cast<std::size_t>(place);
  switch (wanted) {
    case Stdio::inherit:
      return;
    case Stdio::null:
      return add(posix_spawn_file_actions_addopen(&actions_, place, "/dev/null",
                                                  place == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0),
                 "/dev/null");
    case Stdio::to_stdout:
      return add(posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, place), "dup2");
    case Stdio::pipe:
      break;
  }
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) add(errno, "pipe2");
  const bool in = place == STDIN_FILENO;
  // Above the three, or one of them would be overwritten on the way.
  theirs_[index] = fcntl(ends[in ? 0 : 1], F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  close(ends[in ? 0 : 1]);
  const int ours = ends[in ? 1 : 0];
  if (theirs_[index] < 0) {
    close(ours);
    add(error, "fcntl");
  }
  try {
    ours_[index] = Descriptor::adopt(ours);
  } catch (...) {
    close(ours);
    throw;
  }
  add(posix_spawn_file_actions_adddup2(&actions_, theirs_[index], place), "dup2");
}

pid_t Spawn::start() {
  add(posix_spawn_file_actions_addclosefrom_np(&actions_, 3), "closefrom");
  const char* directory = options_.directory.c_str();
  if (*directory != '\0') {
    add(posix_spawn_file_actions_addchdir_np(&actions_, directory), "chdir");
  }
  // What this program ignores is not what others expect to be ignored.
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  add(posix_spawnattr_setsigdefault(&attributes_, &defaults), "signals");
  add(posix_spawnattr_setflags(&attributes_,
                               static_cast<short>(POSIX_SPAWN_SETSIGDEF |
                                                  (options_.new_session ? POSIX_SPAWN_SETSID : 0))),
      "flags");
  std::vector<char*> arguments = pointers(arguments_);
  std::vector<char*> environment;
  if (options_.environment.has_value()) environment = pointers(*options_.environment);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments.front(), &actions_, &attributes_, arguments.data(),
                                 options_.environment.has_value() ? environment.data() : environ);
  if (error != 0) {
    add(error, *directory == '\0' ? "it can't be started"
                                  : ("it can't be started in " + options_.directory).c_str());
  }
  return pid;
}

}  // namespace jumpcut::impl
