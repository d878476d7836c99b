// Loop.add_signal_handler and remove_signal_handler: signals as calls in a turn of the loop.

#include <jumpcut/jumpcut.hpp>

#include "by_hand.hpp"
#include "child.hpp"
#include "log.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::get_running_loop;
using jumpcut::Loop, jumpcut::RuntimeError, jumpcut::ValueError;

namespace {

volatile std::sig_atomic_t others = 0;

/// The program's own handlers, as they were before the test.
class OwnHandler {
 public:
  explicit OwnHandler(int signal) : signal_(signal) {
    others = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { others = others + 1; };
    sigaction(signal, &action, &before_);
  }
  OwnHandler(const OwnHandler&) = delete;
  OwnHandler& operator=(const OwnHandler&) = delete;
  ~OwnHandler() { sigaction(signal_, &before_, nullptr); }

 private:
  const int signal_;
  struct sigaction before_ = {};
};

}  // namespace

TEST_CASE("a signal has its function called in a turn of its own, once for each delivery") {
  const OwnHandler own(SIGUSR1);
  Loop loop;
  Log log;
  loop.add_signal_handler(SIGUSR1, [&] { log("signal"); });
  loop.call_soon([&] {
    log("first");
    std::raise(SIGUSR1);
    std::raise(SIGUSR1);
    log("raised");
  });
  loop.call_soon([&] { log("second"); });
  tick(loop, 2);
  if (!LATE_SIGNALS) CHECK(log.text() == "first raised second signal signal");
  CHECK(others == 0);
}

TEST_CASE("a signal that comes on another thread wakes a loop that sleeps") {
  const OwnHandler own(SIGUSR2);
  jumpcut::run([] {
    const Future<> came;
    get_running_loop().add_signal_handler(SIGUSR2, [&] { came.set_result(); });
    std::thread other([] { pthread_kill(pthread_self(), SIGUSR2); });
    await(came);  // with nothing else to wait for, and that is no deadlock
    other.join();
  });
  CHECK(others == 0);
}

TEST_CASE("a loop sleeps while another process may send it a signal, and no longer") {
  const OwnHandler own(SIGUSR2);
  pid_t sender = 0;
  CHECK_THROWS_AS(jumpcut::run([&] {
                    const Future<> came;
                    Loop& loop = get_running_loop();
                    loop.add_signal_handler(SIGUSR2, [&] { came.set_result(); });
                    sender = signal_when_asleep(SIGUSR2);
                    await(came);
                    loop.remove_signal_handler(SIGUSR2);
                    await(Future<>());
                  }),
                  jumpcut::Deadlock);
  int status = -1;
  CHECK(waitpid(sender, &status, 0) == sender);
  CHECK(status == 0);
  CHECK(others == 0);
}

TEST_CASE("a virtual clock waits for a signal only while a thread could send it") {
  const OwnHandler own(SIGUSR2);
  const auto wait_for_signal = [](bool sends) {
    const Future<> came;
    get_running_loop().add_signal_handler(SIGUSR2, [&] { came.set_result(); });
    std::jthread other;
    if (sends) other = std::jthread([] { pthread_kill(pthread_self(), SIGUSR2); });
    await(came);
  };
  jumpcut::VirtualClock clock;
  jumpcut::run([&] { wait_for_signal(true); }, {.clock = &clock});
  CHECK_THROWS_AS(jumpcut::run([&] { wait_for_signal(false); }, {.clock = &clock}),
                  jumpcut::Deadlock);
}

TEST_CASE("remove_signal_handler restores what the signal did before, and so does close") {
  const OwnHandler own(SIGUSR1);
  {
    Loop loop;
    int count = 0;
    loop.add_signal_handler(SIGUSR1, [&] { ++count; });
    loop.add_signal_handler(SIGUSR1, [&] { count += 10; });  // instead of the first
    std::raise(SIGUSR1);
    tick(loop, 2);
    if (!LATE_SIGNALS) CHECK(count == 10);
    CHECK(loop.remove_signal_handler(SIGUSR1));
    CHECK(!loop.remove_signal_handler(SIGUSR1));
    std::raise(SIGUSR1);
    tick(loop, 2);
    if (!LATE_SIGNALS) CHECK(others == 1);
    loop.add_signal_handler(SIGUSR1, [] {});
    loop.close();
    CHECK(!loop.remove_signal_handler(SIGUSR1));
    CHECK_THROWS_AS(loop.add_signal_handler(SIGUSR1, [] {}), RuntimeError);
  }
  std::raise(SIGUSR1);
  if (!LATE_SIGNALS) CHECK(others == 2);
}

TEST_CASE("a handler that the program sets later is left alone") {
  const OwnHandler own(SIGUSR1);
  {
    Loop loop;
    loop.add_signal_handler(SIGUSR1, [] {});
    std::signal(SIGUSR1, SIG_IGN);
  }
  std::raise(SIGUSR1);
  CHECK(others == 0);
  CHECK(std::signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

TEST_CASE("a signal's function may remove itself; what came meanwhile is dropped") {
  const OwnHandler own(SIGUSR1);
  Loop loop;
  int destroyed = 0;
  int count = 0;
  loop.add_signal_handler(SIGUSR1, [&, witness = Witness(destroyed)] {
    ++count;
    std::raise(SIGUSR1);
    std::raise(SIGUSR1);
    loop.remove_signal_handler(SIGUSR1);
  });
  std::raise(SIGUSR1);
  tick(loop, 4);
  if (LATE_SIGNALS) return;
  CHECK(count == 1);
  CHECK(destroyed == 1);
  // What is queued when it is removed from outside goes too.
  loop.add_signal_handler(SIGUSR1, [&, witness = Witness(destroyed)] { ++count; });
  std::raise(SIGUSR1);
  loop.remove_signal_handler(SIGUSR1);
  CHECK(destroyed == 2);
  tick(loop, 2);
  loop.add_signal_handler(SIGUSR1, [&, witness = Witness(destroyed)] { ++count; });
  std::raise(SIGUSR1);
  loop.close();
  CHECK(destroyed == 3);
  CHECK(count == 1);
}

TEST_CASE("what a signal's function throws goes to the exception handler, and it is called again") {
  const OwnHandler own(SIGUSR1);
  if (LATE_SIGNALS) return;
  Loop loop;
  Log log;
  loop.set_exception_handler([&](const jumpcut::ErrorContext& context) { log(context.message); });
  loop.add_signal_handler(SIGUSR1, [] { throw std::runtime_error("no"); });
  for (int i = 0; i < 2; ++i) {
    std::raise(SIGUSR1);
    tick(loop, 2);
    CHECK_THAT(log.take(), Contains("add_signal_handler"));
  }
}

TEST_CASE("a function for SIGINT takes it from run, until it is removed") {
  const Ended ended = in_child([] {
    std::signal(SIGINT, SIG_DFL);
    const int value = jumpcut::run([] {
      const Future<> came;
      get_running_loop().add_signal_handler(SIGINT, [&] { came.set_result(); });
      std::raise(SIGINT);
      await(came);
      return 4;
    });
    expect(value == 4, "main went on");
    try {
      jumpcut::run([] {
        get_running_loop().add_signal_handler(SIGINT, [] {});
        get_running_loop().remove_signal_handler(SIGINT);
        std::raise(SIGINT);
        jumpcut::sleep(std::chrono::hours(1));
      });
    } catch (const jumpcut::Interrupted&) {
      return;
    }
    expect(false, "run has SIGINT again");
  });
  CHECK(ended.output.empty());
  CHECK(ended.exit_code == 0);
}

TEST_CASE("signals that can't be handled so are refused by name") {
  Loop loop;
  const auto nothing = [] {};
  CHECK_THROWS_WITH(loop.add_signal_handler(0, nothing), Contains("0 is not the number"));
  CHECK_THROWS_AS(loop.add_signal_handler(NSIG, nothing), ValueError);
  CHECK_THROWS_WITH(loop.add_signal_handler(SIGKILL, nothing), Contains("SIGKILL can't be caught"));
  CHECK_THROWS_WITH(loop.add_signal_handler(SIGSEGV, nothing), Contains("SIGSEGV comes of"));
  CHECK_THROWS_WITH(loop.add_signal_handler(SIGURG, nothing), Contains("watchdog"));
  CHECK_THROWS_AS(loop.add_signal_handler(SIGUSR1, static_cast<void (*)()>(nullptr)), ValueError);
  const OwnHandler own(SIGUSR1);
  loop.add_signal_handler(SIGUSR1, nothing);
  Loop other;
  CHECK_THROWS_WITH(other.add_signal_handler(SIGUSR1, nothing),
                    Contains("another loop has SIGUSR1"));
  CHECK(!other.remove_signal_handler(SIGUSR1));
  loop.close();
  other.add_signal_handler(SIGUSR1, nothing);
  std::thread([&] {
    CHECK_THROWS_WITH(other.remove_signal_handler(SIGUSR1), Contains("thread"));
  }).join();
}

TEST_CASE("a storm of signals from threads is counted to the last") {
  const OwnHandler own(SIGUSR1);
  constexpr int threads = 4;
  constexpr int each = 2000;
  std::atomic<int> delivered{0};
  jumpcut::run([&] {
    int seen = 0;
    std::atomic<int> ended{0};
    const Future<> all;
    Loop& loop = get_running_loop();
    loop.add_signal_handler(SIGUSR1, [&] { ++seen; });
    std::vector<std::thread> senders;
    for (int i = 0; i < threads; ++i) {
      senders.emplace_back([&] {
        // To itself: such a one is delivered before it returns, and never merged with another.
        for (int k = 0; k < each; ++k) pthread_kill(pthread_self(), SIGUSR1), ++delivered;
        if (++ended == threads) loop.call_soon_threadsafe([&] { all.set_result(); });
      });
    }
    await(all);
    for (auto& one : senders) one.join();
    jumpcut::sleep(std::chrono::seconds(0));
    if (!LATE_SIGNALS) CHECK(seen == delivered);
  });
}
