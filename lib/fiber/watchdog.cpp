#include "watchdog.hpp"

#include "base/check.hpp"
#include "base/own_descriptors.hpp"
#include "base/own_threads.hpp"
#include "base/symbols.hpp"
#include "fiber/frames.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace jumpcut::impl {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constinit std::atomic<bool> Heartbeat::watchdog_rests{true};

/// Lives as long as the process, which its thread does not keep from ending.
class Watchdog {
 public:
  static Watchdog& instance() {
    static auto* const watchdog = new Watchdog;
    return *watchdog;
  }

  void add(Heartbeat& heartbeat) {
    const std::lock_guard lock(mutex_);
    StackSampler::install();
    heartbeat.next_ = first_;
    first_ = &heartbeat;
  }

  void remove(Heartbeat& heartbeat) noexcept {
    const std::lock_guard lock(mutex_);
    Heartbeat** place = &first_;
    while (*place != nullptr && *place != &heartbeat) place = &(*place)->next_;
    if (*place != nullptr) *place = heartbeat.next_;
  }

  bool is_resting() {
    const std::lock_guard lock(mutex_);
    return is_asleep_;
  }

  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    Heartbeat::watchdog_rests = false;
    if (!is_running_) {
      is_running_ = start();
      if (!is_running_) warn("no watchdog: its thread can't be started: %s", std::strerror(errno));
    }
    changed_.notify_one();
  }

 private:
  static constexpr std::size_t stack_size = 1024 * 1024;
  static constexpr int looks_before_rest = 20;

  Watchdog() {
    pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                   [] { instance().begin_anew(); });
  }

  /// In a forked child, which has the forking thread only, and that holds the mutex.
  void begin_anew() noexcept {
    new (&changed_) std::condition_variable;
    if (is_running_) own_threads.fetch_sub(1, std::memory_order_relaxed);
    is_counted_ = false;
    is_running_ = false;
    is_asleep_ = false;
    Heartbeat::watchdog_rests = true;
    for (Heartbeat** place = &first_; *place != nullptr;) {
      if (pthread_equal((*place)->thread_, pthread_self()) != 0) {
        place = &(*place)->next_;
      } else {
        *place = (*place)->next_;
      }
    }
    mutex_.unlock();
  }

  bool start() noexcept {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_size);
    // It is no place for the host's signal handlers.
    sigset_t all;
    sigset_t mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pthread_t thread{};
    errno = pthread_create(
        &thread, &attributes,
        [](void*) -> void* {
          const OwnThread own;
          leave_descriptors();  // for which it opens two: before the loop goes on
          instance().is_counted_ = true;
          instance().is_counted_.notify_one();
          instance().run();
        },
        nullptr);
    const bool started = errno == 0;
    // Or a loop that looks for threads that could wake it would take it for one.
    if (started) is_counted_.wait(false);
    if (started) pthread_setname_np(thread, "jumpcut-watch");
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    pthread_attr_destroy(&attributes);
    return started;
  }

  [[noreturn]] void run() {
    std::unique_lock lock(mutex_);
    Clock::time_point before = Clock::now();
    for (int quiet = 0;;) {
      nanoseconds period = std::chrono::milliseconds(50);
      for (Heartbeat* each = first_; each != nullptr; each = each->next_) {
        period = std::min(period, each->options_.threshold / 2);
      }
      period = std::max<nanoseconds>(period, std::chrono::milliseconds(1));
      if (quiet > looks_before_rest) {
        is_asleep_ = true;
        changed_.wait(lock, [] { return !Heartbeat::watchdog_rests; });
        is_asleep_ = false;
        quiet = 0;
        before = Clock::now();
      }
      changed_.wait_for(lock, period);
      const Clock::time_point now = Clock::now();
      // A longer sleep than that means that this thread could not run, so the loop could neither:
      // the process was stopped, or the machine is busy.
      const bool works = look(lock, std::min<nanoseconds>(now - before, 2 * period));
      before = now;
      quiet = works ? 0 : quiet + 1;
      // There is one more look after saying so: a loop that began before it could see the flag is
      // seen then, without a fence in begin().
      if (works) Heartbeat::watchdog_rests = false;
      if (quiet == looks_before_rest) Heartbeat::watchdog_rests = true;
    }
  }

  /// Returns whether any loop works.
  bool look(std::unique_lock<std::mutex>& lock, nanoseconds elapsed) {
    bool works = false;
    Heartbeat* stuck = nullptr;
    for (Heartbeat* each = first_; each != nullptr; each = each->next_) {
      const Progress progress = each->progress();
      if (progress.works()) works = true;
      if (each->timer_.look(progress, elapsed, each->options_.threshold)) stuck = each;
    }
    if (stuck != nullptr) report(*stuck, lock);
    return works;
  }

  /// Lets others have the mutex, so the heartbeat may be gone afterwards.
  void report(Heartbeat& heartbeat, std::unique_lock<std::mutex>& lock) {
    const StallTimer& timer = heartbeat.timer_;
    if (timer.is_first_report()) heartbeat.stalls_.fetch_add(1, std::memory_order_relaxed);
    const bool asked = StackSampler::ask(heartbeat.thread_, timer.seen().step);
    Stall stall{.lasted = timer.lasted()};
    const auto report = heartbeat.options_.report;
    lock.unlock();
    try {
      const auto answer = asked ? StackSampler::wait_for(stall.sample) : StackSampler::Answer::none;
      stall.is_sampled = answer == StackSampler::Answer::sampled;
      if (answer == StackSampler::Answer::moved_on) {
        // It ended just now: there is nobody to name.
      } else if (const BorrowedStandardError borrowed; report != nullptr) {
        report(stall);
      } else {
        warn_text(stall.text());
      }
    } catch (const std::bad_alloc&) {
      const BorrowedStandardError borrowed;
      warn("a task has run for long without awaiting; there is no memory to say more");
    }
    lock.lock();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Heartbeat* first_ = nullptr;
  bool is_running_ = false;
  bool is_asleep_ = false;
  std::atomic<bool> is_counted_{false};
};

namespace {

bool is_wanted() {
  const char* wanted = std::getenv("JUMPCUT_WATCHDOG");
  return wanted == nullptr || std::strcmp(wanted, "off") != 0;
}

}  // namespace

Heartbeat::Heartbeat(Core& core, WatchOptions options) : core_(core), options_(options) {
  if (options_.threshold <= nanoseconds::zero() || !is_wanted()) return;
  Watchdog::instance().add(*this);
  is_watched_ = true;
}

Heartbeat::~Heartbeat() {
  if (is_watched_) Watchdog::instance().remove(*this);
}

void Heartbeat::wake_watchdog() noexcept {
  Watchdog::instance().wake();
}

bool Heartbeat::is_watchdog_resting() {
  return Watchdog::instance().is_resting();
}

/// The loop counts its steps without a thought for other threads; an aligned word is read whole.
/// Not by an atomic load, which clang's ThreadSanitizer sees in spite of the attribute.
__attribute__((no_sanitize("thread"))) Progress Heartbeat::progress() const noexcept {
  const volatile std::uint64_t& step = core_.ready.head;
  return {turn_.load(std::memory_order_relaxed), step};
}

std::string Stall::text() const {
  std::array<char, 64> time{};
  std::snprintf(time.data(), time.size(), " has run for %.1f s without awaiting",
                std::chrono::duration<double>(lasted).count());
  std::string text = "a task";
  if (is_sampled) {
    text = sample.on_hub ? "a callback, or a call on the thread's own stack,"
                         : "task '" + sample.name + "'";
  }
  text += time.data();
  if (!is_sampled) {
    return text + "; its stack can't be had: SIGURG is blocked, or somebody else handles it\n";
  }
  if (sample.others > 0) {
    text += " (it holds up " + std::to_string(sample.others) +
            (sample.others == 1 ? " other)" : " others)");
  }
  Symbols symbols;
  return text + ":\n" + frames_text(sample.frames, symbols);
}

}  // namespace jumpcut::impl
