// jumpcut/await_callback.hpp with libraries that have threads of their own and know nothing of it:
// POSIX timers, asynchronous I/O and name look-ups, as the C library brings them. Each takes a
// function and a pointer for it, and calls it on a thread that it starts.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/jumpcut.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <aio.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using jumpcut::await;
using jumpcut::await_callback;
using jumpcut::Cancelled;
using jumpcut::create_task;
using jumpcut::Done;
using namespace std::chrono_literals;

namespace {

/// Has done() called by a thread of the library's.
sigevent calls(Done<>&& done) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_value.sival_ptr = std::move(done).to_pointer();
  event.sigev_notify_function = [](sigval value) { Done<>::from_pointer(value.sival_ptr)(); };
  return event;
}

/// Takes back what calls() gave, when the library will not call it.
void give_up(const sigevent& event) {
  Done<>::from_pointer(event.sigev_value.sival_ptr);
}

timespec time_of(std::chrono::nanoseconds time) {
  return {time.count() / 1'000'000'000, time.count() % 1'000'000'000};
}

/// Waits as long, by a timer of the system.
void wait_by_timer(std::chrono::nanoseconds time) {
  timer_t timer{};
  await_callback<>([&](Done<> done) {
    sigevent event = calls(std::move(done));
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
      give_up(event);
      throw std::system_error(errno, std::generic_category(), "timer_create");
    }
    itimerspec when{};
    when.it_value = time_of(time);
    timer_settime(timer, 0, &when, nullptr);
  });
  timer_delete(timer);
}

/// What an operation needs for as long as it goes on, which may be longer than the wait for it.
struct Reading {
  aiocb block{};
  std::array<char, 64> buffer{};
};

/// As read() does, but only the task waits.
std::string read_some(int fd) {
  auto reading = std::make_unique<Reading>();
  aiocb& block = reading->block;
  block.aio_fildes = fd;
  block.aio_buf = reading->buffer.data();
  block.aio_nbytes = reading->buffer.size();
  await_callback<>([&](Done<> done) {
    block.aio_sigevent = calls(std::move(done));
    if (aio_read(&block) != 0) {
      give_up(block.aio_sigevent);
      throw std::system_error(errno, std::generic_category(), "aio_read");
    }
  });
  if (const int error = aio_error(&block)) {
    throw std::system_error(error, std::generic_category(), "aio_read");
  }
  return {reading->buffer.data(), static_cast<std::size_t>(aio_return(&block))};
}

/// The numeric address that a name stands for.
std::string address_of(const char* name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  gaicb lookup{};
  lookup.ar_name = name;
  lookup.ar_request = &hints;
  await_callback<>([&](Done<> done) {
    gaicb* list[] = {&lookup};
    sigevent event = calls(std::move(done));
    if (const int error = getaddrinfo_a(GAI_NOWAIT, list, 1, &event)) {
      give_up(event);
      throw std::runtime_error(gai_strerror(error));
    }
  });
  if (const int error = gai_error(&lookup)) throw std::runtime_error(gai_strerror(error));
  char text[INET_ADDRSTRLEN];
  const auto* address = reinterpret_cast<const sockaddr_in*>(lookup.ar_result->ai_addr);
  inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
  freeaddrinfo(lookup.ar_result);
  return text;
}

struct Pipe {
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

}  // namespace

TEST_CASE("timers of the system that call on threads of their own can be awaited") {
  if (EMULATED) return;  // it makes no threads for timers
  jumpcut::run([] {
    const jumpcut::Loop& loop = jumpcut::get_running_loop();
    const auto begin = loop.time();
    wait_by_timer(2ms);
    CHECK(loop.time() - begin >= 2ms);
    std::vector<jumpcut::Task<>> tasks;
    for (int i = 0; i < 50; ++i) {
      tasks.push_back(
          create_task([i] { wait_by_timer(std::chrono::microseconds(100 * (i % 7 + 1))); }));
    }
    for (auto& task : tasks) await(task);
  });
}

TEST_CASE("asynchronous reads of a file go on beside each other and other tasks") {
  jumpcut::run([] {
    std::array<Pipe, 8> pipes;
    std::vector<jumpcut::Task<std::string>> tasks;
    for (auto& one : pipes) tasks.push_back(create_task([&one] { return read_some(one.ends[0]); }));
    jumpcut::sleep(0s);
    for (std::size_t i = pipes.size(); i-- > 0;) {
      const std::string text = "text " + std::to_string(i);
      REQUIRE(write(pipes[i].ends[1], text.data(), text.size()) > 0);
    }
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      CHECK(await(tasks[i]) == "text " + std::to_string(i));
    }
    CHECK_THROWS_AS(read_some(-1), std::system_error);
  });
}

TEST_CASE("names are looked up on a thread of the C library's") {
  jumpcut::run([] {
    std::vector<jumpcut::Task<std::string>> tasks;
    for (int i = 1; i <= 20; ++i) {
      tasks.push_back(
          create_task([i] { return address_of(("127.0.0." + std::to_string(i)).c_str()); }));
    }
    for (int i = 1; i <= 20; ++i) {
      CHECK(await(tasks[static_cast<std::size_t>(i - 1)]) == "127.0.0." + std::to_string(i));
    }
    CHECK_THROWS_AS(address_of("not a number"), std::runtime_error);
  });
}

TEST_CASE("an operation that can't be taken back may end long after the await was cancelled") {
  Pipe one;
  // What the library writes to belongs to it until it calls; so it is what the callback brings.
  std::string text;
  std::atomic<bool> given_back{false};
  jumpcut::run([&] {
    struct Operation {
      Reading reading;
      Done<std::unique_ptr<Operation>> done;
    };
    auto task = create_task([&] {
      await_callback<std::unique_ptr<Operation>>(
          [&](auto done) {
            auto operation = std::unique_ptr<Operation>(new Operation{Reading(), std::move(done)});
            aiocb& block = operation->reading.block;
            block.aio_fildes = one.ends[0];
            block.aio_buf = operation->reading.buffer.data();
            block.aio_nbytes = operation->reading.buffer.size();
            block.aio_sigevent.sigev_notify = SIGEV_THREAD;
            block.aio_sigevent.sigev_value.sival_ptr = operation.get();
            block.aio_sigevent.sigev_notify_function = [](sigval value) {
              std::unique_ptr<Operation> ended(static_cast<Operation*>(value.sival_ptr));
              const auto tell = ended->done;
              tell(std::move(ended));
            };
            REQUIRE(aio_read(&block) == 0);
            static_cast<void>(operation.release());
          },
          {.timeout = 2ms, .on_late = [&](std::unique_ptr<Operation>&& late) {
             if (aio_return(&late->reading.block) > 0) text = late->reading.buffer.data();
             given_back = true;
           }});
    });
    CHECK_THROWS_AS(await(task), jumpcut::TimeoutError);
    CHECK(!given_back);
  });
  REQUIRE(write(one.ends[1], "late", 4) == 4);
  while (!given_back) std::this_thread::yield();
  CHECK(text == "late");
}
