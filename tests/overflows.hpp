// Four ways to use up a stack. They stand for legacy code: compiled without stack probes.

#pragma once

#include <array>
#include <regex>
#include <string>

#include <alloca.h>

/// Whoever gets a local's address might keep it: so no compiler makes a loop of a recursion.
inline void keep(volatile char* local) {
  asm volatile("" : : "r"(local) : "memory");
}

[[gnu::noinline]] inline int recurse(int depth) {
  volatile char local[200];
  keep(local);
  local[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : recurse(depth - 1) + local[0];
}

[[gnu::noinline]] inline int large_frames(int depth) {
  volatile char local[60 * 1024];
  keep(local);
  local[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : large_frames(depth - 1) + local[0];
}

[[gnu::noinline]] inline int allocate(int times) {
  int sum = 0;
  for (int i = 0; i < times; ++i) {
    auto* local = static_cast<volatile char*>(alloca(50 * 1024));
    local[0] = 1;
    sum += local[0];
  }
  return sum;
}

inline int match(int length) {
  std::string text(static_cast<std::size_t>(length), 'a');
  return std::regex_match(text, std::regex("(a|b)*")) ? 1 : 0;
}

struct Overflow {
  const char* name;
  int (*function)(int);
  int argument;
};

inline constexpr std::array<Overflow, 4> overflows = {{{"recursion", recurse, 1'000'000},
                                                       {"frames of 60 KiB", large_frames, 100},
                                                       {"alloca", allocate, 100},
                                                       {"std::regex", match, 5000}}};
