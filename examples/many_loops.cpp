// many_loops: two loops in two threads share out calls, and the clients of one port.
//
//   $ ./many_loops
//   664579 primes below 10000000, counted by 8 calls on 2 loops
//   20 clients heard HELLO
//   all ended by themselves

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr int below = 10'000'000;

/// Those from `begin` on, before `end`: a sieve of its own for each call, shared with no thread.
int count_primes(int begin, int end) {
  std::vector<bool> is_composite(static_cast<std::size_t>(end - begin));
  for (long divisor = 2; divisor * divisor < end; ++divisor) {
    long multiple = std::max(divisor * divisor, (begin + divisor - 1) / divisor * divisor);
    for (; multiple < end; multiple += divisor) {
      is_composite[static_cast<std::size_t>(multiple - begin)] = true;
    }
  }
  int count = 0;
  for (int number = std::max(begin, 2); number < end; ++number) {
    count += is_composite[static_cast<std::size_t>(number - begin)] ? 0 : 1;
  }
  return count;
}

/// Runs in whichever loop accepted the client, and stays there.
void shout(jumpcut::Stream& stream) {
  for (std::string& line : stream) {
    for (char& letter : line) {
      letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    stream.write(line);
  }
}

bool ask(const jumpcut::Address& address) {
  jumpcut::Stream stream = jumpcut::open_connection(address);
  stream.write("hello\n");
  return stream.read_line() == "HELLO\n";
}

}  // namespace

int main() {
  jumpcut::LoopPoolOptions options;
  options.loops = 2;
  jumpcut::LoopPool pool(options);
  jumpcut::run([&] {  // a third loop, this thread's
    constexpr int calls = 8;
    std::vector<jumpcut::Future<int>> counts;
    for (int i = 0; i < calls; ++i) {
      counts.push_back(jumpcut::wrap_future(
          pool.submit([i] { return count_primes(below / calls * i, below / calls * (i + 1)); })));
    }
    int primes = 0;
    for (const int count : jumpcut::gather(counts)) primes += count;
    std::printf("%d primes below %d, counted by %d calls on %zu loops\n", primes, below, calls,
                pool.size());

    const jumpcut::PoolServer server = jumpcut::start_server(pool, shout, "127.0.0.1", 0);
    std::vector<jumpcut::Task<bool>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(jumpcut::create_task([&] { return ask(server.addresses().front()); }));
    }
    int heard = 0;
    for (const bool is_right : jumpcut::gather(clients)) heard += is_right ? 1 : 0;
    std::printf("%d clients heard HELLO\n", heard);

    const bool well = pool.stop(10s);
    std::puts(well ? "all ended by themselves" : "some had to be cancelled");
  });
}
