#include "executor/processors.hpp"

#include <algorithm>
#include <numeric>
#include <thread>

#include <sched.h>

namespace jumpcut::impl {

std::vector<int> usable_processors() {
  std::vector<int> numbers;
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
    for (int number = 0; number < CPU_SETSIZE; ++number) {
      if (CPU_ISSET(static_cast<unsigned>(number), &usable)) numbers.push_back(number);
    }
  }
  if (numbers.empty()) {  // more of them than the set has room for
    numbers.resize(std::max(1u, std::thread::hardware_concurrency()));
    std::iota(numbers.begin(), numbers.end(), 0);
  }
  return numbers;
}

}  // namespace jumpcut::impl
