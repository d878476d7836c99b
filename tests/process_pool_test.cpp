// jumpcut/process_pool.hpp: calls in forked processes: what comes back, and what becomes of those
// that don't.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::BrokenProcessPool, jumpcut::create_task, jumpcut::ProcessPool;
using jumpcut::RemoteError, jumpcut::run, jumpcut::run_in_executor;
using jumpcut::RuntimeError;

namespace {

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// What workers and the test see alike.
template <class T>
class Shared {
 public:
  Shared()
      : value_(static_cast<T*>(
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(static_cast<void*>(value_) != MAP_FAILED);
    new (value_) T();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(value_, sizeof(T)); }
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

/// For a call that never ends by itself.
[[noreturn]] void work_for_ever() {
  for (;;) usleep(10'000);
}

/// Has the test's own handlers out of the way.
void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  raise(signal);
}

/// What a worker's end was called, and how it was.
template <class Function>
std::pair<std::string, int> end_of(ProcessPool& pool, Function function) {
  try {
    await(pool.submit(function));
  } catch (const BrokenProcessPool& error) {
    return {error.what(), error.signal() != 0 ? -error.signal() : error.exit_code()};
  }
  return {"it came back", 0};
}

struct Point {
  double x;
  int y;
  bool operator==(const Point&) const = default;
};
enum class Colour : std::uint8_t { red, green };

}  // namespace

TEST_CASE("a call in a worker returns values of all kinds that can travel") {
  run([] {
    ProcessPool pool;
    CHECK(pool.max_workers() >= 1);
    CHECK(await(run_in_executor(&pool, [] { return 6 * 7; })) == 42);
    await(run_in_executor(&pool, [] {}));
    CHECK(await(pool.submit([] { return Point{0.5, 3}; })) == Point{0.5, 3});
    CHECK(await(pool.submit([] { return Colour::green; })) == Colour::green);
    CHECK(await(pool.submit([] { return std::string("text\0with a zero", 16); })).size() == 16);
    CHECK(await(pool.submit([] { return std::u16string(u"wide"); })) == u"wide");
    CHECK(await(pool.submit([] {
            return std::vector<double>{0.5, -1};
          })) == std::vector<double>{0.5, -1});
    CHECK(await(pool.submit([] { return std::vector<int>(); })).empty());
    CHECK(await(pool.submit([] {
            return std::vector<bool>{true, false, true};
          })) == std::vector<bool>{true, false, true});
    CHECK(await(pool.submit([] {
            return std::vector<std::string>{"a", "", "ccc"};
          })) == std::vector<std::string>{"a", "", "ccc"});
    using Map = std::map<std::string, std::vector<int>>;
    CHECK(await(pool.submit([] {
            return Map{{"one", {1}}, {"none", {}}};
          })) == Map{{"one", {1}}, {"none", {}}});
    CHECK(await(pool.submit([] { return std::set<int>{3, 1}; })) == std::set<int>{1, 3});
    using Mixed = std::tuple<std::string, std::optional<std::string>, std::pair<int, std::string>>;
    Mixed mixed{"a", std::nullopt, {7, "seven"}};
    CHECK(await(pool.submit([mixed] { return mixed; })) == mixed);
    std::optional<std::string> some = "some";
    CHECK(await(pool.submit([some] { return some; })) == some);
  });
  CHECK(!has_children());
}

TEST_CASE("the function may hold anything, and sees the program's memory as it was") {
  run([] {
    ProcessPool pool;
    std::vector<int> numbers{1, 2, 3};
    auto owned = std::make_unique<int>(4);
    const std::function<int(int)> twice = [](int x) { return 2 * x; };
    auto sum = pool.submit([&numbers, owned = std::move(owned), twice] {
      numbers.push_back(*owned);
      return twice(std::accumulate(numbers.begin(), numbers.end(), 0));
    });
    CHECK(await(sum) == 20);
    CHECK(numbers.size() == 3);  // what it changed was its own
    // It is let go as soon as the worker has it.
    auto held = std::make_shared<int>(5);
    const Shared<std::atomic<bool>> let_go;
    auto waits = pool.submit([held, &let_go] {
      while (!*let_go) usleep(1000);
      return *held;
    });
    while (held.use_count() > 1) jumpcut::sleep(1ms);
    *let_go = true;
    CHECK(await(waits) == 5);
  });
}

TEST_CASE("what a call throws comes back as RemoteError, with its type and text") {
  run([] {
    ProcessPool pool;
    try {
      await(pool.submit([]() -> int { throw std::out_of_range("no such row"); }));
      FAIL("it came back");
    } catch (const RemoteError& error) {
      CHECK(error.type() == "std::out_of_range");
      CHECK(error.message() == "no such row");
      CHECK(error.what() == std::string("std::out_of_range: no such row"));
    }
    const auto nested = pool.submit([] {
      try {
        throw std::runtime_error("inner");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
      }
    });
    CHECK_THROWS_WITH(await(nested), "std::runtime_error: outer\nfrom std::runtime_error: inner");
    CHECK_THROWS_WITH(await(pool.submit([] { throw 7; })), "int");
    CHECK_THROWS_AS(await(pool.submit([] { throw jumpcut::Cancelled(); })), RemoteError);
  });
  CHECK(!has_children());
}

TEST_CASE("a worker that dies is BrokenProcessPool with its signal or code; the pool goes on") {
  run([] {
    ProcessPool pool({.max_workers = 2});
    const auto by_signal = [&](int signal) { return end_of(pool, [=] { end_by(signal); }); };
    CHECK(by_signal(SIGKILL).second == -SIGKILL);
    CHECK(by_signal(SIGTERM).second == -SIGTERM);
    CHECK(by_signal(SIGABRT) ==
          std::pair(std::string("a worker process was ended by SIGABRT before its call was done"),
                    -SIGABRT));
    const auto crash = end_of(pool, [] {
      std::signal(SIGSEGV, SIG_DFL);
      volatile int* volatile nowhere = nullptr;
      *nowhere = 1;  // NOLINT: on purpose
    });
    CHECK(crash.second != 0);
    if (!sanitized) {
      CHECK(crash.second == -SIGSEGV);
      CHECK_THAT(crash.first, Contains("SIGSEGV"));
    }
    CHECK(end_of(pool, [] { _exit(3); }) ==
          std::pair(std::string("a worker process exited with 3 before its call was done"), 3));
    CHECK_THAT(end_of(pool, [] { _exit(0); }).first, Contains("exited with 0"));
    const auto aborted = end_of(pool, [] {
      std::signal(SIGABRT, SIG_DFL);
      std::abort();
    });
    CHECK(aborted.second == -SIGABRT);
    // One of many.
    std::vector<jumpcut::Future<int>> calls;
    calls.reserve(10);
    for (int i = 0; i < 10; ++i) {
      calls.push_back(pool.submit([i] {
        if (i == 4) end_by(SIGKILL);
        return i;
      }));
    }
    for (int i = 0; i < 10; ++i) {
      const auto& call = calls[static_cast<std::size_t>(i)];
      if (i == 4) {
        CHECK_THROWS_AS(await(call), BrokenProcessPool);
      } else {
        CHECK(await(call) == i);
      }
    }
    CHECK(pool.worker_count() == 0);
  });
  CHECK(!has_children());
}

TEST_CASE("hundreds of calls go through four workers, no more at once") {
  constexpr int count = EMULATED || sanitized ? 60 : 400;
  struct Books {
    std::atomic<int> now{0}, most{0};
  };
  const Shared<Books> books;
  run([&] {
    ProcessPool pool({.max_workers = 4});
    std::vector<jumpcut::Future<int>> calls;
    calls.reserve(count);
    for (int i = 0; i < count; ++i) {
      calls.push_back(pool.submit([&books, i] {
        const int now = ++books->now;
        for (int most = books->most; most < now;) books->most.compare_exchange_weak(most, now);
        usleep(500);
        --books->now;
        return i;
      }));
    }
    const std::vector<int> numbers = jumpcut::gather(calls);
    for (int i = 0; i < count; ++i) CHECK(numbers[static_cast<std::size_t>(i)] == i);
  });
  CHECK(books->most <= 4);
  CHECK(books->most >= 2);
  CHECK(!has_children());
}

TEST_CASE("with one worker, the calls come one after the other") {
  const Shared<std::atomic<int>> begun;
  run([&] {
    ProcessPool pool({.max_workers = 1});
    std::vector<jumpcut::Future<int>> calls;
    calls.reserve(20);
    for (int i = 0; i < 20; ++i) calls.push_back(pool.submit([&] { return (*begun)++; }));
    const std::vector<int> numbers = jumpcut::gather(calls);
    for (int i = 0; i < 20; ++i) CHECK(numbers[static_cast<std::size_t>(i)] == i);
  });
}

TEST_CASE("results of 64 MiB come back whole, from several workers at once") {
  constexpr std::size_t size = (EMULATED || sanitized ? 4 : 64) * std::size_t{1024} * 1024 / 8;
  run([&] {
    ProcessPool pool({.max_workers = 3});
    std::vector<jumpcut::Future<std::vector<double>>> calls;
    calls.reserve(3);
    for (int i = 0; i < 3; ++i) {
      calls.push_back(pool.submit([i] {
        std::vector<double> many(size);
        std::iota(many.begin(), many.end(), i);
        return many;
      }));
    }
    // Others have their turns while the last is copied.
    std::size_t turns = 0;
    const auto other = create_task([&] {
      for (;; jumpcut::sleep(0s)) turns += pool.worker_count() == 0 ? 1 : 0;
    });
    while (pool.worker_count() == 0) jumpcut::sleep(0s);
    turns = 0;
    pool.shutdown();
    other.cancel();
    for (const auto& call : calls) CHECK(call.done());
    CHECK(turns > size / 131072 / 2);
    for (int i = 0; i < 3; ++i) {
      const std::vector<double> many = await(std::move(calls[static_cast<std::size_t>(i)]));
      REQUIRE(many.size() == size);
      std::size_t wrong = 0;
      for (std::size_t n = 0; n < size; ++n) {
        wrong += many[n] != static_cast<double>(n) + i ? 1 : 0;
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("to cancel a call kills its worker, or withdraws it if it has none yet") {
  const Shared<std::atomic<int>> begun;
  run([&] {
    ProcessPool pool({.max_workers = 1});
    const auto endless = create_task([&] {
      await(pool.submit([&] {
        ++*begun;
        work_for_ever();
      }));
    });
    while (*begun == 0) jumpcut::sleep(1ms);
    const auto behind = pool.submit([&] { ++*begun; });
    CHECK(behind.cancel());
    endless.cancel();
    CHECK(is_cancelled([&] { await(endless); }));
    CHECK(await(pool.submit([] { return 1; })) == 1);  // the place is free again
    CHECK(*begun == 1);
    // So does a deadline, which no thread's call would end at.
    CHECK_THROWS_AS(jumpcut::timeout(20ms, [&] { await(pool.submit([] { work_for_ever(); })); }),
                    jumpcut::TimeoutError);
    pool.shutdown();
    CHECK(pool.worker_count() == 0);
  });
  CHECK(!has_children());
}

TEST_CASE(
    "a pool that is destroyed, and a loop that ends, kill their workers, and leave no zombie") {
  ProcessPool outer({.max_workers = 2});
  jumpcut::Future<> lost{nullptr};
  run([&] {
    jumpcut::Future<> running{nullptr};
    jumpcut::Future<> waiting{nullptr};
    {
      ProcessPool pool({.max_workers = 1});
      running = pool.submit([] { work_for_ever(); });
      waiting = pool.submit([] {});
      while (pool.worker_count() == 0) jumpcut::sleep(1ms);
    }
    CHECK(running.cancelled());
    CHECK(waiting.cancelled());
    lost = outer.submit([] { work_for_ever(); });
    for (int i = 0; i < 3; ++i) outer.submit([] { work_for_ever(); });
    while (outer.worker_count() < 2) jumpcut::sleep(1ms);
  });
  CHECK(!has_children());
  CHECK(!lost.done());
  CHECK(run([&] { return await(outer.submit([] { return 5; })); }) == 5);  // in the next loop
}

TEST_CASE("shutdown waits for the calls, or cancels those that have not begun") {
  run([] {
    const Shared<std::atomic<int>> done;
    ProcessPool pool({.max_workers = 2});
    for (int i = 0; i < 5; ++i) pool.submit([&] { ++*done; });
    pool.shutdown();
    CHECK(*done == 5);
    CHECK_THROWS_WITH(pool.submit([] {}), Contains("shut down"));
    pool.shutdown();
    ProcessPool other({.max_workers = 1});
    const auto first = other.submit([] { return 1; });
    const auto second = other.submit([] { return 2; });
    while (other.worker_count() == 0 && !first.done()) jumpcut::sleep(0s);
    other.shutdown(false, true);
    CHECK(await(first) == 1);
    CHECK(is_cancelled([&] { await(second); }));
    other.shutdown();
  });
  CHECK(!has_children());
}

TEST_CASE("a pool says where it can't be used") {
  ProcessPool pool;
  CHECK_THROWS_AS(pool.submit([] {}), RuntimeError);  // no loop runs
  run([&] {
    CHECK_THROWS_AS(run_in_executor(&pool, std::function<void()>()), jumpcut::ValueError);
    const auto nested = pool.submit([&] { await(pool.submit([] {})); });
    CHECK_THROWS_WITH(await(nested), Contains("RuntimeError") && Contains("make a new one"));
    CHECK_THROWS_WITH(await(pool.submit([] { jumpcut::get_running_loop(); })),
                      Contains("RuntimeError"));
    CHECK_THROWS_WITH(await(pool.submit([] { jumpcut::sleep(1ms); })), Contains("RuntimeError"));
    const std::string elsewhere = await(run_in_executor(nullptr, [&] {
      try {
        return run([&] { return await(pool.submit([] { return std::string(); })); });
      } catch (const RuntimeError& error) {
        return std::string(error.what());
      }
    }));
    CHECK_THAT(elsewhere, Contains("the thread that made it"));
    jumpcut::Loop* loop = &jumpcut::get_running_loop();
    CHECK_THROWS_WITH(await(pool.submit([=] { loop->run_forever(); })), Contains("RuntimeError"));
  });
}

TEST_CASE("a worker may run a loop of its own, and a pool in that") {
  run([] {
    ProcessPool pool;
    CHECK(await(pool.submit([] {
      return run([] {
        jumpcut::sleep(1ms);
        ProcessPool inner;
        return await(inner.submit([] { return getppid(); })) == getpid();
      });
    })));
  });
}

TEST_CASE("a worker keeps none of the program's sockets and pipes open, but its files") {
  const std::string path = "/proc/self/status";
  const int file = open(path.c_str(), O_RDONLY);
  run([&] {
    int ends[2] = {-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    ProcessPool pool;
    const Shared<std::atomic<int>> stage;
    const auto call = pool.submit([&, ours = ends[0]] {
      char byte = 0;
      const int error = ::read(ours, &byte, 1) < 0 ? errno : 0;
      const bool has_file = ::pread(file, &byte, 1, 0) >= 0;
      const bool no_input = ::read(STDIN_FILENO, &byte, 1) == 0;
      const int fresh = open("/dev/null", O_RDONLY);  // takes no number that was another's
      stage->store(1);
      while (*stage < 2) usleep(1000);
      return std::tuple(error, has_file, no_input, fresh == ours);
    });
    while (*stage < 1) jumpcut::sleep(1ms);
    close(ends[0]);
    char byte = 0;
    CHECK(::recv(ends[1], &byte, 1, MSG_DONTWAIT) == 0);  // nobody else has it
    *stage = 2;
    CHECK(await(call) == std::tuple(EBADF, true, true, false));
    close(ends[1]);
  });
  close(file);
}

TEST_CASE("what program and worker print comes once") {
  const Ended ended = in_child([] {
    std::printf("before,");  // stays in the buffer
    run([] {
      ProcessPool pool;
      await(pool.submit([] { std::printf("worker,"); }));
      std::printf("after,");
      await(pool.submit([] { std::fputs("again,", stdout); }));
    });
  });
  CHECK(ended.output == "before,worker,after,again,");
  CHECK(ended.exit_code == 0);
}

TEST_CASE("signals of a worker are its own") {
  const Ended ended = in_child([] {
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, SIG_DFL);
    run([] {
      int came = 0;
      jumpcut::get_running_loop().add_signal_handler(SIGTERM, [&] { ++came; });
      ProcessPool pool;
      expect(end_of(pool, [] { raise(SIGTERM); }).second == -SIGTERM, "its own SIGTERM");
      expect(await(pool.submit([] { return raise(SIGINT); })) == 0, "run() has SIGINT");
      const sigset_t blocked = await(pool.submit([] {
        sigset_t now;
        pthread_sigmask(SIG_SETMASK, nullptr, &now);
        return now;
      }));
      expect(sigismember(&blocked, SIGTERM) == 0, "nothing is blocked");
      ticks(3);
      expect(came == 0, "nobody here was told");
    });
  });
  CHECK(ended.output.empty());
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a virtual clock waits for workers") {
  on_loop([] {
    ProcessPool pool;
    CHECK(jumpcut::timeout(1s, [&] {
            return await(pool.submit([] {
              usleep(5000);
              return 1;
            }));
          }) == 1);
    CHECK(elapsed() == 0s);
  });
}

TEST_CASE("a worker ends with the program that it works for") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const std::string path = "/proc/self/fd/" + std::to_string(fileno(file));
  const Ended ended = in_child([&] {
    const int locked = open(path.c_str(), O_RDWR);
    expect(flock(locked, LOCK_EX) == 0, "the lock");
    run([] {
      ProcessPool pool;
      pool.submit([] { work_for_ever(); });
      while (pool.worker_count() == 0) jumpcut::sleep(1ms);
      _exit(0);
    });
  });
  CHECK(ended.exit_code == 0);
  CHECK(flock(fileno(file), LOCK_EX) == 0);  // which the worker has too, as long as it lives
  std::fclose(file);
}
