// Servers and clients that do everything wrong at once: bytes one by one, half-closes, resets, slow
// readers, cancellations, and a hundredth of all calls fails.
//
// A minute of it: chaos_test "[.slow]". Again with the same seed: JUMPCUT_SEED=n chaos_test.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <random>
#include <string>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "../signal_storm.hpp"
#include "../sockets.hpp"
#include "injector.hpp"

using jumpcut::Address, jumpcut::create_task, jumpcut::sleep, jumpcut::Socket, jumpcut::Stream;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t clients_at_once = 40;
/// Who has not ended by then is stuck: he has no more than some thousand bytes to send.
constexpr auto stuck_after = EMULATED != 0 || ANNOUNCED != 0 ? 60s : 20s;

constexpr std::array<faults::Key, 16> kinds{"accept4",
                                            "connect",
                                            "connect (unix)",
                                            "epoll_ctl (add)",
                                            "epoll_ctl (remove)",
                                            "getpeername",
                                            "getsockname",
                                            "getsockopt",
                                            "read",
                                            "read (eventfd)",
                                            "recv",
                                            "send",
                                            "sendmsg",
                                            "setsockopt",
                                            "shutdown",
                                            "socket"};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool once_in(std::uint64_t count) { return below(count) == 0; }
  std::chrono::microseconds time() { return std::chrono::microseconds(below(2000)); }

 private:
  std::mt19937_64 engine_;
};

/// The peer sees a reset.
void reset_at_close(const Socket& socket) {
  const linger none{1, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

class Chaos {
 public:
  Chaos(std::uint64_t seed, std::chrono::seconds length) : seed_(seed), length_(length) {}

  void run();

 private:
  template <class Talk>
  void start(const char* what, Talk talk);
  void start_client();
  void look_for_stuck();

  void serve_stream(Stream& stream);
  void serve_sockets(Socket& listening);
  void talk_by_stream(const Address& address, Random& random);
  void talk_by_socket(const Address& address, Random& random);
  void talk_by_pipe(Random& random);
  void check(const std::string& sent, const std::string& received) {
    if (!std::string_view(sent).starts_with(received)) wrong_ += "what came was not sent\n";
  }

  const std::uint64_t seed_;
  const std::chrono::seconds length_;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, std::pair<std::string, jumpcut::TimePoint>> alive_;
  std::array<Address, 3> servers_;
  std::string wrong_;
  std::uint64_t ended_well_ = 0;
  std::uint64_t ended_badly_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Runs it in a task of its own, and counts how it ends.
template <class Talk>
void Chaos::start(const char* what, Talk talk) {
  const std::uint64_t number = ++number_;
  const auto begun = jumpcut::get_running_loop().time();
  alive_.emplace(number, std::pair(what + (" " + std::to_string(number)), begun));
  struct Ended {
    Chaos* chaos;
    std::uint64_t number;
    Ended(Chaos* all, std::uint64_t one) : chaos(all), number(one) {}
    Ended(Ended&& other) noexcept
        : chaos(std::exchange(other.chaos, nullptr)), number(other.number) {}
    ~Ended() {
      if (chaos != nullptr) chaos->alive_.erase(number);
    }
  };
  const auto task = create_task([this, talk, ended = Ended(this, number)] {
    Random random(seed_ + ended.number);
    try {
      talk(random);
      ++ended_well_;
    } catch (const std::system_error&) {
      ++ended_badly_;
    } catch (const std::bad_alloc&) {  // a limit
      ++ended_badly_;
    } catch (const std::runtime_error&) {  // too little came, or in too long a time
      ++ended_badly_;
    } catch (const std::exception& error) {
      wrong_ += error.what() + std::string("\n");
    }
  });
  // Some lose patience.
  if (Random random(seed_ + number); random.once_in(8)) {
    jumpcut::get_running_loop().call_later(random.time() * 5, [task] { task.cancel(); });
  } else {
    task.detach();
  }
}

void Chaos::start_client() {
  switch (Random(seed_ ^ number_).below(4)) {
    case 0:
      return start("a pipe", [this](Random& random) { talk_by_pipe(random); });
    case 1:
      return start("a socket", [this](Random& random) {
        talk_by_socket(servers_[random.below(servers_.size())], random);
      });
    default:
      return start("a stream", [this](Random& random) {
        talk_by_stream(servers_[random.below(servers_.size())], random);
      });
  }
}

void Chaos::serve_stream(Stream& stream) {
  Random random(seed_ + ++number_);
  const bool slow = random.once_in(6);
  try {
    for (std::string part; !(part = stream.read(1 + random.below(5000))).empty();) {
      if (slow) sleep(random.time());
      if (random.once_in(300)) return reset_at_close(stream.socket());
      if (random.once_in(300)) return;
      stream.write(part);
      if (random.once_in(300)) stream.write_eof();
    }
    if (random.once_in(2)) stream.write_eof();
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  } catch (const jumpcut::RuntimeError&) {  // it writes after its end
  }
}

void Chaos::serve_sockets(Socket& listening) {
  for (;;) {
    try {
      auto socket = std::make_shared<Socket>(listening.accept().first);
      start("a server's socket", [socket](Random& random) {
        for (std::string part; !(part = socket->recv(1 + random.below(3000))).empty();) {
          socket->sendall(part);
          if (random.once_in(100)) return reset_at_close(*socket);
        }
      });
    } catch (const jumpcut::DescriptorClosed&) {
      return;
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
  }
}

void Chaos::talk_by_stream(const Address& address, Random& random) {
  Stream stream =
      jumpcut::open_connection(address, {.limit = 4000, .high_water = 3000, .low_water = 500});
  const std::string all = pattern(1 + random.below(40'000));
  std::string received;
  const auto reader = create_task([&] {
    const bool slow = random.once_in(5);
    for (std::string part; !(part = stream.read(slow ? 200 : 10'000)).empty();) {
      received += part;
      if (slow && random.once_in(10)) sleep(random.time());
    }
  });
  const std::size_t one_by_one = random.once_in(3) ? 200 : 0;
  try {
    std::size_t at = 0;
    for (; at < all.size() && at < one_by_one; ++at) stream.write(all.substr(at, 1));
    while (at < all.size()) {
      const std::size_t size = 1 + random.below(8000);
      stream.write(std::string_view(all).substr(at, size));
      at += size;
      if (random.once_in(40)) reset_at_close(stream.socket());
      if (random.once_in(60)) stream.abort();
    }
    stream.write_eof();
    await(reader);
  } catch (...) {
    reader.cancel();
    jumpcut::gather_results(std::vector{reader});
    throw;
  }
  check(all, received);
  bytes_ += received.size();
  stream.close();
  stream.wait_closed();
}

void Chaos::talk_by_socket(const Address& address, Random& random) {
  Socket socket(address.family());
  if (random.once_in(3)) socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 2000);
  socket.connect(address);
  if (random.once_in(20)) reset_at_close(socket);
  std::string sent;
  std::string received;
  for (int i = 0; i < 20; ++i) {
    const std::string part = pattern(1 + random.below(random.once_in(2) ? 2 : 3000));
    sent += part;
    socket.sendall(part);
    if (random.once_in(50)) return;  // closed, with something to read
    if (random.once_in(4)) received += socket.recv(1 + random.below(2000));
    if (random.once_in(10)) sleep(random.time());
  }
  socket.shutdown(jumpcut::Shutdown::writing);
  received += receive_all(socket, 1 + random.below(5000));
  check(sent, received);
  bytes_ += received.size();
}

void Chaos::talk_by_pipe(Random& random) {
  jumpcut::PipeEnds pipe = jumpcut::make_pipe();
  const std::string all = pattern(1 + random.below(150'000));
  auto writer = std::make_shared<jumpcut::Descriptor>(std::move(pipe.writer));
  start("a pipe's writer", [writer = std::move(writer), all](Random& one) {
    std::size_t at = 0;
    for (; at < all.size() && at < 100; ++at) writer->write_all(all.substr(at, 1));
    for (; at < all.size(); at += 5000) {
      writer->write_all(std::string_view(all).substr(at, 5000));
      if (one.once_in(20)) sleep(one.time());
    }
    writer->close();
  });
  Stream reader(std::move(pipe.reader));
  const std::size_t size = random.below(all.size() + 1);
  const std::string received = random.once_in(2) ? reader.read() : reader.read_exactly(size);
  check(all, received);
  bytes_ += received.size();
}

void Chaos::look_for_stuck() {
  const auto now = jumpcut::get_running_loop().time();
  for (const auto& [number, one] : alive_) {
    if (now - one.second < stuck_after) continue;
    wrong_ += one.first + " is stuck, among these:\n";
    int count = 0;
    for (const jumpcut::AnyTask& task : jumpcut::all_tasks()) {
      if (++count > 12) break;  // they are in the order in which they were made
      wrong_ += jumpcut::format_call_graph(task);
    }
    return;
  }
}

void Chaos::run() {
  jumpcut::RunOptions options;
  options.seed = seed_;
  jumpcut::run(
      [&] {
        jumpcut::Loop& loop = jumpcut::get_running_loop();
        loop.set_exception_handler([](const jumpcut::ErrorContext&) {});
        const std::string path = "/tmp/jumpcut-chaos-" + std::to_string(getpid());
        const auto serve = [this](Stream& stream) { serve_stream(stream); };
        jumpcut::Server tcp = jumpcut::start_server(
            serve, "127.0.0.1", 0, {.stream = {.high_water = 2000, .low_water = 100}});
        jumpcut::Server local = jumpcut::start_unix_server(serve, path);
        Socket listening = listener();
        servers_ = {tcp.addresses().front(), Address::local(path), listening.getsockname()};
        const auto accepting = create_task([&] { serve_sockets(listening); });

        const auto end = loop.time() + length_;
        faults::fail_some(kinds, 100, seed_);
        while (loop.time() < end && wrong_.empty()) {
          while (alive_.size() < clients_at_once) start_client();
          sleep(500us);
          look_for_stuck();
        }
        while (!alive_.empty() && wrong_.empty()) {
          sleep(1ms);
          look_for_stuck();
        }
        const std::uint32_t injected = faults::stop();
        std::printf("%llu clients, of which %llu failed, %llu bytes, %u faults\n",
                    static_cast<unsigned long long>(ended_well_ + ended_badly_),
                    static_cast<unsigned long long>(ended_badly_),
                    static_cast<unsigned long long>(bytes_), injected);
        CHECK(wrong_ == "");
        CHECK(injected > 100);
        CHECK(ended_well_ > 100);
        listening.close();
        await(accepting);
        tcp.close();
        local.close();
        jumpcut::timeout(stuck_after, [&] {
          tcp.wait_closed();
          local.wait_closed();
        });
        for (int i = 0; i < 1500 && loop.stats().tasks > 1; ++i) sleep(1ms);
        CHECK(loop.stats().tasks == 1);
        CHECK(loop.stats().io == 0);
      },
      options);
}

void run_chaos(std::chrono::seconds length) {
  const char* asked = std::getenv("JUMPCUT_SEED");
  const std::uint64_t seed =
      asked != nullptr ? std::strtoull(asked, nullptr, 10) : std::random_device()();
  std::printf("JUMPCUT_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  INFO("JUMPCUT_SEED=" << seed);
  const SignalStorm storm(1ms);
  Chaos(seed, length).run();
}

}  // namespace

TEST_CASE("in a chaos of faults, resets and slow readers no task is stuck, and no byte is wrong") {
  run_chaos(5s);
}

TEST_CASE("nor in a minute of it", "[.slow]") {
  run_chaos(60s);
}
