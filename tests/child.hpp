// Runs a function in a forked process of its own: for what ends a process, and for what changes one
// for good. No exec, so it works under an emulator and under sanitizers.

#pragma once

#include <jumpcut/impl/config.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// Sanitizers map, signal and call the system on their own account.
constexpr bool sanitized = jumpcut::impl::Config::announced_switch;

struct Ended {
  int signal = 0;      ///< 0: it did not die of one
  int exit_code = -1;  ///< what was expected held: 0
  std::string output;  ///< standard output and error
};

/// For use in the child: ends it, and says why.
inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("does not hold: %s\n", what);
  std::fflush(stdout);
  _exit(1);
}

/// What a child exits with where the test can't be made.
constexpr int skipped = 77;

template <typename Function>
Ended in_child(Function function) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    // The test framework's own handlers are not part of the test; nor are core files.
    for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE}) std::signal(signal, SIG_DFL);
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (!sanitized) sigaltstack(&none, nullptr);
    rlimit no_core{};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    try {
      std::move(function)();
    } catch (const std::exception& error) {
      std::printf("exception: %s\n", error.what());
      std::fflush(stdout);
      _exit(1);
    }
    std::fflush(stdout);
    _exit(0);
  }
  close(ends[1]);
  Ended ended;
  char text[4096];
  for (ssize_t length; (length = read(ends[0], text, sizeof text)) > 0;) {
    ended.output.append(text, static_cast<std::size_t>(length));
  }
  close(ends[0]);
  // What an emulator adds about the signal that ends its guest.
  if (auto at = ended.output.find("qemu: "); at != std::string::npos) ended.output.resize(at);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  return ended;
}

/// Starts a process that sends this one the signal, once its first thread sleeps. It exits with 0.
inline pid_t signal_when_asleep(int signal) {
  const pid_t self = getpid();
  const std::string stat = "/proc/" + std::to_string(self) + "/stat";
  const pid_t sender = fork();
  if (sender != 0) return sender;
  std::array<char, 200> text{};
  const char* state = nullptr;
  do {
    const int file = open(stat.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text.data(), text.size() - 1) <= 0 || getppid() != self) _exit(1);
    close(file);
    state = std::strrchr(text.data(), ')');
  } while (state == nullptr || state[2] != 'S');
  _exit(kill(self, signal) == 0 ? 0 : 1);
}
