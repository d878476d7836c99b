// bench [--quick] [Google Benchmark's options]: all benches in one program.

#include "bench.hpp"

#include <string_view>

bool quick = false;

int main(int count, char** arguments) {
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
