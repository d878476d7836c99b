// What a second loop brings: a server on a LoopPool of one loop, and of two, by turns, with the
// clients in a process of their own.
//
//   loop_pool_bench [--quick]
//
// For each kind of request, the medians of several runs:
//
//   served    requests a second, by the clock on the wall: what a client sees. It says little where
//             clients and loops share the processors, or others use them.
//   had       processors that the pool's threads had, of those they could have used: 1, or 2
//   capacity  requests a second of the processor's time, each loop's own, summed up: what the loops
//             would serve with a processor each. It sees what they cost each other, by locks,
//             caches and the kernel, as far as they did run at the same time.

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t request_size = 64;
constexpr std::size_t connections = 64;

/// What a request costs beside the reading and writing of it.
struct Kind {
  const char* name;
  int rounds;
};
constexpr std::array<Kind, 3> kinds{{
    {"echo of 64 bytes", 0},
    {"the same and 20 us of work", 20},
    {"the same and 200 us of work", 200},
}};

/// About a microsecond.
std::uint64_t round_of_work(std::uint64_t seed) {
  for (int i = 0; i < 1000; ++i) seed = seed * 6364136223846793005u + 1442695040888963407u;
  return seed;
}

/// What one loop did.
struct alignas(64) Served {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> sum{0};  // of the work, so that it is done
};

void serve(jumpcut::Stream& stream, int rounds, Served& served) {
  try {
    for (;;) {
      const std::string request = stream.read_exactly(request_size);
      std::uint64_t sum = static_cast<unsigned char>(request[0]);
      for (int i = 0; i < rounds; ++i) sum = round_of_work(sum);
      served.sum.fetch_add(sum, std::memory_order_relaxed);
      served.requests.fetch_add(1, std::memory_order_relaxed);
      stream.write(request);
    }
  } catch (const std::exception&) {  // the client has gone
  }
}

/// Asks again and again, until the other end of the pipe is closed, by which it is told the port.
void be_client(int pipe) {
  jumpcut::run([&] {
    jumpcut::Stream orders(jumpcut::Descriptor::adopt(pipe));
    const auto port = static_cast<std::uint16_t>(std::stoi(orders.read_line()));
    const auto address = jumpcut::Address::ip("127.0.0.1", port);
    jumpcut::task_group([&](jumpcut::TaskGroup& group) {
      for (std::size_t i = 0; i < connections; ++i) {
        group.create_task([&] {
          jumpcut::Stream stream = jumpcut::open_connection(address);
          const std::string request(request_size, 'x');
          for (;;) {
            stream.write(request);
            stream.read_exactly(request_size);
          }
        });
      }
      orders.read();
      group.cancel();
    });
  });
}

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Outcome {
  double served;
  double had;
  double capacity;
};

Outcome measure(std::size_t loops, const Kind& kind, std::chrono::nanoseconds time) {
  // Before there are threads.
  std::array<int, 2> orders{};
  if (pipe(orders.data()) != 0) return {};
  const pid_t client = fork();
  if (client == 0) {
    close(orders[1]);
    be_client(orders[0]);
    _exit(0);
  }
  close(orders[0]);

  Outcome outcome{};
  {
    std::vector<Served> served(loops);
    jumpcut::LoopPoolOptions options;
    options.loops = loops;
    jumpcut::LoopPool pool(options);
    const jumpcut::PoolServer server = start_server(
        pool, [&](jumpcut::Stream& stream) { serve(stream, kind.rounds, served[*pool.current()]); },
        "127.0.0.1", 0);
    const std::string order = std::to_string(server.addresses().front().port()) + "\n";
    static_cast<void>(!write(orders[1], order.data(), order.size()));
    const auto look = [&] {
      std::vector<std::pair<double, std::uint64_t>> all;
      for (std::size_t i = 0; i < loops; ++i) {
        all.push_back(
            pool.submit_to(
                    i, [&, i] { return std::pair(thread_seconds(), served[i].requests.load()); })
                .get());
      }
      return all;
    };
    // Once all are there.
    for (std::uint64_t requests = 0; requests < 20 * connections;) {
      jumpcut::run([] { jumpcut::sleep(1ms); });
      requests = 0;
      for (const Served& one : served) requests += one.requests;
    }
    const auto begin = Clock::now();
    const auto before = look();
    jumpcut::run([&] { jumpcut::sleep(time); });
    const auto after = look();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    for (std::size_t i = 0; i < loops; ++i) {
      const double processor = after[i].first - before[i].first;
      const double requests = static_cast<double>(after[i].second - before[i].second);
      outcome.served += requests / seconds;
      outcome.had += processor / seconds;
      outcome.capacity += requests / processor;
    }
    close(orders[1]);
    int status = 0;
    waitpid(client, &status, 0);
  }
  return outcome;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const bool quick = count > 1 && std::string_view(arguments[1]) == "--quick";
  const int repetitions = quick ? 1 : 9;
  const std::chrono::nanoseconds time = quick ? 50ms : 500ms;
  for (const Kind& kind : kinds) {
    std::array<std::vector<Outcome>, 2> outcomes;
    for (int i = 0; i < repetitions; ++i) {
      for (const std::size_t loops : {std::size_t{1}, std::size_t{2}}) {
        outcomes[loops - 1].push_back(measure(loops, kind, time));
      }
    }
    const auto middle = [&](std::size_t loops, double Outcome::*what) {
      std::vector<double> values;
      for (const Outcome& outcome : outcomes[loops - 1]) values.push_back(outcome.*what);
      return median(values);
    };
    const auto ratio = [&](double Outcome::*what) {
      std::vector<double> values;
      for (std::size_t i = 0; i < outcomes[0].size(); ++i) {
        values.push_back(outcomes[1][i].*what / outcomes[0][i].*what);
      }
      return median(values);
    };
    std::printf("%s, %zu connections\n", kind.name, connections);
    for (const std::size_t loops : {std::size_t{1}, std::size_t{2}}) {
      std::printf("  %zu %s  served %8.0f /s  had %.2f  capacity %8.0f /s\n", loops,
                  loops == 1 ? "loop: " : "loops:", middle(loops, &Outcome::served),
                  middle(loops, &Outcome::had), middle(loops, &Outcome::capacity));
    }
    std::printf("  two of one:   served %.2f x             capacity %.2f x\n",
                ratio(&Outcome::served), ratio(&Outcome::capacity));
  }
}
