// What a test draws its random numbers from, so that one that failed can be run again.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

/// JUMPCUT_TEST_SEED, or another each time: for the test to print.
inline std::uint64_t test_seed() {
  const char* given = std::getenv("JUMPCUT_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
}
