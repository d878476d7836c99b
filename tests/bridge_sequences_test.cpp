// jumpcut/await_callback.hpp: every sequence of what may happen to a callback, up to length five.
// Each await ends exactly once, each value ends up in one place, and nothing is left.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/jumpcut.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "child.hpp"

using jumpcut::Cancelled;
using jumpcut::Done;
using namespace std::chrono_literals;

namespace {

enum Op : std::uint8_t { start, now, later, thread, twice, cancel, timeout, drop, loop_ends, ops };
constexpr const char* names[] = {"start",         "complete now", "complete later",
                                 "from a thread", "twice",        "cancel",
                                 "timeout",       "drop",         "loop ends"};
using Sequence = std::vector<Op>;

/// What a callback brings: known to the leak checkers, and counted.
class Value {
 public:
  static inline std::atomic<int> alive{0};
  Value() : memory_(std::make_unique<int>(1)) { ++alive; }
  Value(Value&& other) noexcept : memory_(std::move(other.memory_)) { ++alive; }
  Value(const Value& other) = delete;
  Value& operator=(Value&&) = delete;
  ~Value() { --alive; }
  bool is_whole() const { return memory_ != nullptr && *memory_ == 1; }

 private:
  std::unique_ptr<int> memory_;
};

/// A thread that does one thing after another.
class Worker {
 public:
  Worker() : thread_([this] { loop(); }) {}
  ~Worker() {
    post([this] { over_ = true; });
    thread_.join();
  }
  void post(std::function<void()> job) {
    wait();
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return job_ == nullptr; });
  }

 private:
  void loop() {
    while (!over_) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return job_ != nullptr; });
      const auto job = job_;
      lock.unlock();
      job();
      lock.lock();
      job_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  bool over_ = false;
  std::thread thread_;
};

/// What await_callback is told besides.
struct Options {
  enum Limit : std::uint8_t { some_time, some_day, none };
  enum Cancel : std::uint8_t { no_function, counts, calls_back };
  static constexpr int variants = 3 * 3 * 2;

  explicit Options(int variant)
      : limit(static_cast<Limit>(variant % 3)),
        cancel(static_cast<Cancel>(variant / 3 % 3)),
        on_late(variant / 9 == 0) {}

  Limit limit;
  Cancel cancel;
  bool on_late;
};

enum class Outcome : std::uint8_t { none, value, cancelled, timed_out, dropped };

struct Await {
  std::optional<Done<Value>> done;
  jumpcut::Task<> task;
  Outcome outcome = Outcome::none;
  int ends = 0;               // of await_callback
  std::atomic<int> late{0};   // values that went to on_late
  std::atomic<int> calls{0};  // of done
  int cancels = 0;            // of the cancel function
  bool began = false;         // start was called
  bool broken = false;        // a value came that had been moved from
  // What must come of it, where each thing has its effect before the next happens.
  Outcome expected = Outcome::none;
  int expected_calls = 0;
};

enum class Mode : std::uint8_t {
  spaced,  ///< each thing has its effect before the next happens
  tight,   ///< no turn of the loop between them
  racing,  ///< tight, and nobody waits for the thread
};

class Play {
 public:
  Play(const Sequence& sequence, Options options, Mode mode, Worker& worker)
      : sequence_(sequence), options_(options), mode_(mode), worker_(worker) {}

  std::string run() {
    jumpcut::VirtualClock clock;
    jumpcut::RunOptions options;
    options.clock = &clock;
    options.handle_sigint = false;
    options.loop.watchdog = false;
    std::uint64_t repeated = 0;
    int reports = 0;
    {
      jumpcut::Runner runner(options);
      runner.get_loop().set_exception_handler([&](const jumpcut::ErrorContext&) { ++reports; });
      runner.run([&] {
        while (next_ < sequence_.size() && sequence_[next_] != loop_ends) step(sequence_[next_++]);
        repeated = jumpcut::get_running_loop().stats().repeated_callbacks;
        for (auto& one : awaits_) expected_repeated_ += std::max(0, one->expected_calls - 1);
      });
    }
    for (auto& one : awaits_) {
      one->task = {};
      if (one->expected == Outcome::none) one->expected = Outcome::cancelled;
    }
    ended_ = true;
    while (next_ < sequence_.size()) step(sequence_[next_++]);
    worker_.wait();
    for (auto& one : awaits_) one->done.reset();
    inside_.clear();
    return verdict(repeated, reports);
  }

 private:
  void step(Op op) {
    if (op == start) {
      if (!ended_) begin();
    } else if (op == timeout) {
      if (ended_) return;
      jumpcut::sleep(2s);
      if (options_.limit == Options::none) return;
      for (auto& one : awaits_) expect(*one, Outcome::timed_out);
    } else if (awaits_.empty()) {
      if (op == now || op == later || op == thread || op == twice || op == drop) {
        inside_.push_back(op);
      }
    } else {
      apply(op, *awaits_.back());
    }
    if (mode_ == Mode::spaced && !ended_) {
      for (int i = 0; i < 4; ++i) jumpcut::sleep(0s);
    }
  }

  void begin() {
    awaits_.push_back(std::make_unique<Await>());
    Await& one = *awaits_.back();
    one.task = jumpcut::create_task([this, &one] { wait(one); }, {.eager_start = true});
  }

  void wait(Await& one) {
    struct Ends {
      int& ends;
      ~Ends() { ++ends; }
    } ends{one.ends};
    jumpcut::CallbackOptions<Value> options;
    if (options_.limit == Options::some_time) options.timeout = 1s;
    if (options_.limit == Options::some_day) {
      options.deadline = jumpcut::get_running_loop().time() + 1s;
    }
    if (options_.cancel != Options::no_function) {
      options.cancel = [this, &one] {
        ++one.cancels;
        if (options_.cancel != Options::calls_back || !one.done) return;
        ++one.expected_calls;
        ++one.calls;
        (*one.done)(Value());
      };
    }
    if (options_.on_late) {
      options.on_late = [&one](Value&& late) {
        if (!late.is_whole()) one.broken = true;
        ++one.late;
      };
    }
    try {
      const Value value = jumpcut::await_callback<Value>(
          [&](auto done) {
            one.began = true;
            one.done = std::move(done);
            for (const Op op : std::exchange(inside_, {})) apply(op, one);
          },
          options);
      if (!value.is_whole()) one.broken = true;
      one.outcome = Outcome::value;
    } catch (const Cancelled&) {
      one.outcome = Outcome::cancelled;
      throw;
    } catch (const jumpcut::TimeoutError&) {
      one.outcome = Outcome::timed_out;
    } catch (const jumpcut::CallbackDropped&) {
      one.outcome = Outcome::dropped;
    }
  }

  void apply(Op op, Await& one) {
    switch (op) {
      case now:
        return call(one);
      case later:
        if (ended_ || !one.done) return call(one);
        count_call(one);
        jumpcut::get_running_loop().call_soon([done = *one.done, &one] {
          ++one.calls;
          done(Value());
        });
        return;
      case thread:
        if (!one.done) return;
        count_call(one);
        worker_.post([done = *one.done, &one] {
          ++one.calls;
          done(Value());
        });
        if (mode_ != Mode::racing) worker_.wait();
        return;
      case twice:
        call(one);
        return call(one);
      case cancel:
        if (ended_) return;
        one.task.cancel();
        return expect(one, Outcome::cancelled);
      case drop:
        if (one.done && one.expected_calls == 0) expect(one, Outcome::dropped);
        return one.done.reset();
      default:
        return;
    }
  }

  void call(Await& one) {
    if (!one.done) return;
    count_call(one);
    ++one.calls;
    (*one.done)(Value());
  }
  static void count_call(Await& one) {
    if (one.expected_calls++ == 0) expect(one, Outcome::value);
  }
  static void expect(Await& one, Outcome outcome) {
    if (one.expected == Outcome::none) one.expected = outcome;
  }

  std::string verdict(std::uint64_t repeated, int reports) {
    int several = 0;
    for (auto& one : awaits_) {
      if (!one->began) return "start was not called";
      if (one->ends != 1) return "an await ended " + std::to_string(one->ends) + " times";
      if (one->broken) return "a value came twice";
      const int taken = one->late + (one->outcome == Outcome::value ? 1 : 0);
      // A call that the loop dropped at its end, closure and all, was not made.
      if (options_.on_late ? taken != std::min<int>(one->calls, 1) : taken > one->calls) {
        return std::to_string(one->calls) + " calls, but " + std::to_string(taken) + " values";
      }
      if (one->calls > 1) ++several;
      if (!cancels_fit(*one)) {
        return "the cancel function was called " + std::to_string(one->cancels) + " times";
      }
      if (mode_ == Mode::spaced && one->outcome != one->expected) {
        return "it ended as " + std::to_string(static_cast<int>(one->outcome)) + " instead of " +
               std::to_string(static_cast<int>(one->expected));
      }
    }
    if (Value::alive != 0) return std::to_string(Value::alive) + " values are left";
    if (reports > several) return "more reports than awaits whose callback was called again";
    if (mode_ == Mode::spaced && repeated != static_cast<std::uint64_t>(expected_repeated_)) {
      return std::to_string(repeated) + " calls were counted as repeated";
    }
    return {};
  }

  /// It is told to stop what has not come, and nothing else.
  bool cancels_fit(const Await& one) const {
    if (options_.cancel == Options::no_function) return one.cancels == 0;
    if (one.outcome == Outcome::timed_out) return one.cancels == 1;
    if (one.outcome != Outcome::cancelled) return one.cancels == 0;
    return mode_ == Mode::spaced ? one.cancels == 1 : one.cancels <= 1;
  }

  const Sequence& sequence_;
  const Options options_;
  const Mode mode_;
  Worker& worker_;
  std::size_t next_ = 0;
  bool ended_ = false;
  int expected_repeated_ = 0;
  std::vector<Op> inside_;  // what the next start does itself
  std::vector<std::unique_ptr<Await>> awaits_;
};

/// Standard error goes nowhere: what is repeated after the loop's end is written there.
class Silence {
 public:
  Silence() : before_(dup(STDERR_FILENO)) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  ~Silence() {
    dup2(before_, STDERR_FILENO);
    close(before_);
  }

 private:
  int before_;
};

std::string text_of(const Sequence& sequence) {
  std::string text;
  for (const Op op : sequence) text += (text.empty() ? "" : ", ") + std::string(names[op]);
  return text;
}

std::string text_of(Options options) {
  constexpr const char* limits[] = {"a timeout", "a deadline", "no limit"};
  constexpr const char* cancels[] = {"no cancel function", "one", "one that calls back"};
  return std::string(limits[options.limit]) + ", " + cancels[options.cancel] + ", " +
         (options.on_late ? "on_late" : "no on_late");
}

constexpr std::size_t longest = EMULATED ? 3 : 5;

/// All up to that length, the short ones with all options, the others with one set or the other;
/// the failures, the first few of them.
std::vector<std::string> play_all(std::size_t up_to, Mode mode) {
  const Silence silence;
  Worker worker;
  std::vector<std::string> failures;
  int played = static_cast<int>(mode) * 6;
  for (std::size_t length = 1; length <= up_to; ++length) {
    Sequence sequence(length, start);
    for (bool more = true; more && failures.size() < 5;) {
      ++played;
      for (int variant = 0; variant < Options::variants; ++variant) {
        // 19 has nothing in common with the number of things that happen, and so all sets occur
        // with each of them in each place.
        if (length > (EMULATED ? 1 : 3) && variant != played % 19 % Options::variants) continue;
        const Options options(variant);
        const std::string wrong = Play(sequence, options, mode, worker).run();
        if (wrong.empty()) continue;
        failures.push_back("{" + text_of(sequence) + "} with " + text_of(options) + ": " + wrong);
      }
      more = false;
      for (auto& op : sequence) {
        op = static_cast<Op>(op + 1);
        if (op != ops) {
          more = true;
          break;
        }
        op = start;
      }
    }
  }
  return failures;
}

}  // namespace

TEST_CASE("each await ends once, whatever its callback does, each thing after the other") {
  CHECK(play_all(longest, Mode::spaced) == std::vector<std::string>{});
}

TEST_CASE("each await ends once, whatever its callback does, all in one step") {
  CHECK(play_all(longest, Mode::tight) == std::vector<std::string>{});
}

TEST_CASE("each await ends once, whatever its callback does while a thread calls it") {
  CHECK(play_all(sanitized ? 4 : longest, Mode::racing) == std::vector<std::string>{});
}
