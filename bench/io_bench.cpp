// What a request costs a server's core, by loop: an echo, and "hello" by HTTP to wrk. The server is
// a process of its own, on one core together with the client, whose time is not counted.

#include "bench.hpp"
#include "io_load.hpp"
#include "io_servers.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

/// What both have used while they made so many requests.
struct Used {
  std::chrono::nanoseconds server{};
  std::chrono::nanoseconds wall{};
  double requests = 0;
};

/// The time is the server's CPU time for one request, whether it was busy all the while or not;
/// `rate` is how many there were in a second.
void report(benchmark::State& state, const Used& used) {
  state.SetIterationTime(std::chrono::duration<double>(used.server).count() / used.requests);
  state.counters["rate"] = used.requests / std::chrono::duration<double>(used.wall).count();
}

template <class Load>
Used use(const ServerProcess& server, Load load) {
  const auto server_before = server.cpu_time();
  const auto wall_before = Clock::now();
  const double requests = load();
  const auto wall = Clock::now() - wall_before;
  return {server.cpu_time() - server_before, wall, requests};
}

void echo(benchmark::State& state, const char* loop, int connections) {
  const int messages = quick ? 10'000 : 50'000;
  try {
    run_on_core(core_for_both());
    for (auto _ : state) {
      std::optional<EchoLoad> clients;  // goes last: the server is not to see that
      const ServerProcess server(loop, "echo");
      clients.emplace(server.port(), connections);
      clients->exchange(2 * connections + messages / 10);
      report(state, use(server, [&] { return clients->exchange(messages), messages; }));
    }
    run_on_core(-1);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

/// The requests that wrk makes in a second; 0 if there is no wrk.
double run_wrk(const ServerProcess& server, int connections) {
  const std::string command = "wrk -t1 -d1 -c" + std::to_string(connections) +
                              " http://127.0.0.1:" + std::to_string(server.port()) +
                              "/ 2>/dev/null";
  std::FILE* output = popen(command.c_str(), "r");
  double requests = 0;
  for (char line[256]; std::fgets(line, sizeof line, output) != nullptr;) {
    double number = 0;
    char word[16];
    if (std::sscanf(line, "%lf %15s", &number, word) == 2 && std::string_view(word) == "requests") {
      requests = number;
    }
  }
  pclose(output);
  return requests;
}

void http(benchmark::State& state, const char* loop, int connections) {
  try {
    run_on_core(core_for_both());
    for (auto _ : state) {
      const ServerProcess server(loop, "http");
      const Used used = use(server, [&] { return run_wrk(server, connections); });
      if (used.requests == 0) {
        state.SkipWithError("wrk is not here");
        break;
      }
      report(state, used);
    }
    run_on_core(-1);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace

void register_io_benches() {
  for (const char* loop : {"jumpcut", "epoll", "libuv", "asio"}) {
    if (ServerLoop::find(loop) == nullptr) continue;
    const auto add = [&](auto function, const char* protocol, int connections) {
      const std::string name =
          std::string("io.") + protocol + '_' + std::to_string(connections) + '.' + loop;
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { function(state, loop, connections); })
          ->Iterations(1)
          ->UseManualTime();
    };
    for (const int connections : {1, 64, 1'000}) add(echo, "echo", connections);
    add(http, "http", 64);
  }
}
