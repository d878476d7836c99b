#include "scenario.hpp"

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "injector.hpp"

namespace faults {

namespace {

using namespace std::chrono_literals;

constexpr auto longest = 5s;
constexpr unsigned longest_real = 60;  // seconds, of a thread that is stuck itself

/// What is going on, for the handler of the alarm.
constinit std::array<char, 256> now{};

void say_where(int) {
  static_cast<void>(!write(STDOUT_FILENO, now.data(), std::string_view(now.data()).size()));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::set<std::string> names_in(const char* path) {
  std::set<std::string> names;
  DIR* folder = opendir(path);
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') names.insert(entry->d_name);
  }
  closedir(folder);
  return names;
}

std::set<std::string> open_descriptors() {
  std::set<std::string> names;
  for (const std::string& name : names_in("/proc/self/fd")) {
    std::array<char, 256> target{};
    const ssize_t size =
        readlink(("/proc/self/fd/" + name).c_str(), target.data(), target.size() - 1);
    if (size > 0) names.insert(name + " is " + target.data());  // not the folder's own
  }
  return names;
}

/// But for the library's watchdog, which stays.
std::size_t threads() {
  std::size_t count = 0;
  for (const std::string& name : names_in("/proc/self/task")) {
    std::array<char, 32> text{};
    const int file = open(("/proc/self/task/" + name + "/comm").c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;  // it ended meanwhile
    static_cast<void>(!read(file, text.data(), text.size() - 1));
    close(file);
    if (std::string_view(text.data()).find("jumpcut-watch") == std::string_view::npos) ++count;
  }
  return count;
}

void append_text(std::string& text, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const jumpcut::ExceptionGroup& group) {
    for (const std::exception_ptr& one : group.exceptions()) append_text(text, one);
  } catch (const std::exception& one) {
    text += one.what();
    text += '\n';
  } catch (...) {
    text += "what is no std::exception\n";
  }
}

bool says_one_of(std::string_view text, std::string_view words) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find('|'));
    if (text.find(word) != std::string_view::npos) return true;
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return false;
}

std::mutex notes_mutex;
std::string notes;

std::string take_notes() {
  const std::lock_guard lock(notes_mutex);
  return std::exchange(notes, {});
}

struct Result {
  std::string said;   // errors and reports
  std::string wrong;  // what must not be
};

Result play_once(const std::function<void()>& body) {
  Result result;
  std::string text;
  take_notes();
  alarm(longest_real);
  try {
    body();
  } catch (const Wrong& error) {
    result.wrong += std::string("wrong: ") + error.what() + '\n';
  } catch (const jumpcut::Deadlock& error) {
    result.wrong += std::string("stuck: ") + error.what() + '\n';
  } catch (const jumpcut::TimeoutError&) {
    result.wrong += "stuck: it has not ended in time\n";
  } catch (const std::exception&) {
    append_text(text, std::current_exception());
  } catch (...) {
    result.wrong += "it threw what is no std::exception\n";
  }
  alarm(0);
  result.said = text + take_notes();
  return result;
}

}  // namespace

void note(const jumpcut::ErrorContext& context) {
  const std::lock_guard lock(notes_mutex);
  notes += context.describe() + '\n';
}

bool is_anything_noted() {
  const std::lock_guard lock(notes_mutex);
  return !notes.empty();
}

void in_loop(const std::function<void()>& body) {
  jumpcut::RunOptions options;
  options.loop.shutdown_timeout = longest;
  jumpcut::run(
      [&] {
        jumpcut::Loop& loop = jumpcut::get_running_loop();
        loop.set_exception_handler(&note);
        std::exception_ptr error;
        try {
          jumpcut::timeout(longest, body);
        } catch (const std::exception&) {
          error = std::current_exception();
        }
        const auto late = loop.time() + longest;
        const auto is_empty = [&] { return loop.stats().tasks == 1 && loop.stats().io == 0; };
        for (int i = 0; i < 20 && !is_empty(); ++i) jumpcut::sleep(0s);
        while (!is_empty() && loop.time() < late) jumpcut::sleep(1ms);
        if (!is_empty()) {
          std::string text = "it leaves " + std::to_string(loop.stats().tasks - 1) + " tasks and " +
                             std::to_string(loop.stats().io) + " descriptors";
          if (error != nullptr) append_text(text += ", after ", error);
          throw Wrong(text);
        }
        if (error != nullptr) std::rethrow_exception(error);
      },
      options);
}

Played play(const std::string& name, const std::function<void()>& body, std::uint32_t one_of) {
  Played played;
  struct sigaction says {};
  says.sa_handler = &say_where;
  sigaction(SIGALRM, &says, nullptr);

  std::array<std::uint32_t, std::size(calls)> points{};
  // What is made once a process is there from the second time on.
  for (int i = 0; i < 3; ++i) {
    std::snprintf(now.data(), now.size(), "%s is stuck without a fault\n", name.c_str());
    count();
    const Result result = play_once(body);
    stop();
    for (std::size_t call = 0; call < points.size(); ++call) points[call] = reached(call);
    const std::string warned = warnings();
    if (result.said.empty() && result.wrong.empty() && warned.empty()) continue;
    played.wrong = name + ", without a fault: " + result.said + result.wrong + warned;
    return played;
  }

  const auto descriptors = open_descriptors();
  const std::size_t threads_before = threads();
  std::uint32_t number = 0;
  const auto check = [&](std::size_t call, std::uint32_t nth, Fault fault) {
    if (number++ % one_of != 0) return;
    // An interruption is nobody's business, nor that not all went at once.
    const bool is_error = fault.error != EINTR && fault.how != How::shorter;
    const std::string_view said = is_error ? calls[call].said : "";
    const std::string what = name + ": " + std::string(calls[call].name) + " number " +
                             std::to_string(nth) +
                             (fault.how == How::shorter ? " is short"
                              : fault.how == How::after ? " has errno after all "
                                                        : " has errno ") +
                             (fault.error == 0 ? "" : std::to_string(fault.error)) + ": ";
    std::snprintf(now.data(), now.size(), "stuck: %s\n", what.c_str());
    fail_one(call, nth, fault);
    Result result = play_once(body);
    played.faults += stop();
    const std::string warned = warnings();
    if ((!result.said.empty() || !warned.empty()) &&
        (injected() == 0 || !says_one_of(result.said + warned, said))) {
      result.wrong += "no error names the call: " + result.said + warned;
    }
    for (const std::string& one : open_descriptors()) {
      if (descriptors.count(one) == 0) result.wrong += "descriptor " + one + " is left\n";
    }
    for (int i = 0; i < 100 && threads() > threads_before; ++i) usleep(1000);
    if (threads() > threads_before) result.wrong += "a thread is left\n";
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
      result.wrong += "a process is left\n";
      while (waitpid(-1, nullptr, 0) > 0) {
      }
    }
    if (warned.find("not ended") != std::string::npos) result.wrong += warned;
    if (!result.wrong.empty()) played.wrong += what + result.wrong;
  };
  for (std::size_t call = 0; call < points.size(); ++call) {
    for (std::uint32_t nth = 0; nth < points[call]; ++nth) {
      for (const Fault fault : calls[call].faults) {
        if (fault.how != How::not_at_all) check(call, nth, fault);
      }
    }
  }
  return played;
}

}  // namespace faults
