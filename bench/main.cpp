// bench [--quick] [Google Benchmark's options]: all benches in one program.
// bench --serve LOOP PROTOCOL CORE: one of the servers that some of them measure.

#include "bench.hpp"
#include "io_load.hpp"
#include "io_servers.hpp"

#include <cstdlib>
#include <string_view>

#include <malloc.h>

bool quick = false;

static int serve(std::string_view loop_name, std::string_view protocol, int core) {
  const ServerLoop* loop = ServerLoop::find(loop_name);
  if (loop == nullptr) return 1;
  run_on_core(core);
  loop->serve(protocol == "http" ? Protocol::http : Protocol::echo);
  return 0;
}

int main(int count, char** arguments) {
  // Where glibc's malloc puts Boost's stacks depends on what was freed before: from now on each run
  // gets what a program that starts gets.
  constexpr int usual_threshold = 128 * 1024;
  mallopt(M_MMAP_THRESHOLD, usual_threshold);

  const std::string_view mode = count > 1 ? arguments[1] : "";
  if (mode == "--serve" && count == 5) {
    return serve(arguments[2], arguments[3], std::atoi(arguments[4]));
  }
  if (mode == "--quick") {
    quick = true;
    arguments[1] = arguments[0];
    ++arguments;
    --count;
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  register_io_benches();
  benchmark::RunSpecifiedBenchmarks();
}
