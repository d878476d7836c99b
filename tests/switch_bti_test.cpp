// asm/aarch64.S: a switch lands where branch target identification lets it. A plain program,
// because every line of its code must be compiled for that, and Catch2's main is not.

#include "registers.hpp"

#include <cstdio>

#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

constexpr unsigned long hwcap2_bti = 1UL << 17;
constexpr int prot_bti = 0x10;
constexpr int skipped = 77;  // as Meson understands it

// The pages of this program become guarded, whatever their property notes say.
int guard_own_code() {
  auto here = reinterpret_cast<unsigned long>(&guard_own_code);
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  char line[512];
  int result = -1;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long low = 0;
    unsigned long high = 0;
    if (std::sscanf(line, "%lx-%lx", &low, &high) != 2 || here < low || here >= high) continue;
    result = mprotect(reinterpret_cast<void*>(low), high - low, PROT_READ | PROT_EXEC | prot_bti);
  }
  std::fclose(maps);
  return result;
}

}  // namespace

int main() {
  if ((getauxval(AT_HWCAP2) & hwcap2_bti) == 0) return skipped;
  std::uint64_t seed = registers::printed_seed();
  if (guard_own_code() != 0) return 1;
  std::string failure = registers::exchange(registers::test_rounds(1'000'000), seed);
  std::puts(failure.empty() ? "1 passed, 0 failed" : failure.c_str());
  std::fflush(stdout);
  _exit(failure.empty() ? 0 : 1);  // the C library's own start and end files have no landing pads
}
