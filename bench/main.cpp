// bench [--quick] [Google Benchmark's options]: all benches in one program.

#include "bench.hpp"

#include <string_view>

#include <malloc.h>

bool quick = false;

int main(int count, char** arguments) {
  // Where glibc's malloc puts Boost's stacks depends on what was freed before: from now on each run
  // gets what a program that starts gets.
  constexpr int usual_threshold = 128 * 1024;
  mallopt(M_MMAP_THRESHOLD, usual_threshold);

  if (count > 1 && std::string_view(arguments[1]) == "--quick") {
    quick = true;
    arguments[1] = arguments[0];
    ++arguments;
    --count;
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
