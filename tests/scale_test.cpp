// Very many fibers parked at once, under the limits that a machine has by default. How many is the
// build's choice: PARKED_FIBERS.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>

#include <sys/mman.h>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::GuardMode;
using jumpcut::lowlevel::park;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;
using jumpcut::lowlevel::wake;

namespace {

constexpr std::size_t fibers = PARKED_FIBERS;

std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

std::size_t kibibytes(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    if (word == name + ":") {
      std::size_t value = 0;
      lines >> value;
      return value;
    }
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

std::size_t memory() {
  return kibibytes("/proc/self/status", "VmRSS") + kibibytes("/proc/self/status", "VmPTE");
}

}  // namespace

TEST_CASE("very many fibers park, and each is woken once") {
  if (kibibytes("/proc/meminfo", "MemAvailable") < fibers * 6) {
    WARN("left out: it needs " << fibers * 6 / 1024 << " MiB of memory");
    return;
  }
  Scheduler scheduler;
  const auto waits = std::make_unique<Wait[]>(fibers);
  const auto resumed = std::make_unique<unsigned char[]>(fibers);
  const std::size_t mappings_before = mappings();
  const std::size_t memory_before = memory();

  for (std::size_t i = 0; i < fibers; ++i) {
    scheduler.spawn([&waits, &resumed, i] {
      park(waits[i]);
      ++resumed[i];
    });
  }
  REQUIRE(scheduler.run() == fibers);

  // Sanitizers map memory of their own for each fiber.
  if (PLAIN_BUILD && scheduler.stacks().guard_mode() == GuardMode::madvise) {
    CHECK(mappings() < mappings_before + 100);
    CHECK((memory() - memory_before) * 1024 <= fibers * 5 * 1024);
  }
  void* host = mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(host != MAP_FAILED);
  munmap(host, 1 << 20);

  // Neither the first parked first, nor the last.
  std::size_t woken = 0;
  for (std::size_t i = 0; i < fibers; ++i) woken += wake(waits[(i * 7919) % fibers]) ? 1 : 0;
  CHECK(woken == fibers);
  CHECK(scheduler.run() == 0);
  CHECK(std::all_of(resumed.get(), resumed.get() + fibers, [](auto times) { return times == 1; }));
  CHECK(scheduler.stacks().statistics().in_use == 0);
}
