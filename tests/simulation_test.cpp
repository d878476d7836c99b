// Random programs on a virtual clock, thousands of them, each with its own order of what is ready:
// simulation/world.hpp says what must hold while they run. One that fails is named, and
// JUMPCUT_SIM_SEED=N runs that one again and writes down all that it does.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "simulation/program.hpp"

using simulation::Outcome;
using simulation::simulate;

namespace {

/// 0 if it is not set.
std::uint64_t wanted_seed() {
  const char* text = std::getenv("JUMPCUT_SIM_SEED");
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

std::string report(std::uint64_t seed, const Outcome& outcome) {
  return "seed " + std::to_string(seed) + " fails: " + outcome.failure +
         "; see it all with JUMPCUT_SIM_SEED=" + std::to_string(seed) + " " + SIMULATION_PROGRAM;
}

}  // namespace

TEST_CASE("random programs wake each wait once, lose nothing and leave nothing") {
  if (const std::uint64_t seed = wanted_seed()) {
    const Outcome outcome = simulate(seed, {.talkative = true});
    INFO(report(seed, outcome));
    REQUIRE(outcome.failure.empty());
    return;
  }
  std::size_t tasks = 0;
  std::uint64_t looks = 0;
  for (std::uint64_t seed = 1; seed <= SIMULATION_SEEDS; ++seed) {
    const Outcome outcome = simulate(seed);
    tasks += outcome.tasks;
    looks += outcome.looks;
    if (outcome.failure.empty()) continue;
    FAIL(report(seed, outcome));
  }
  // Programs that do nothing would find nothing.
  CHECK(tasks > SIMULATION_SEEDS * 10);
  CHECK(looks > SIMULATION_SEEDS * 5);
}

TEST_CASE("the same seed runs the same program, another seed another") {
  std::set<std::uint64_t> hashes;
  constexpr std::uint64_t seeds = 200;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::uint64_t hash = simulate(seed).hash;
    CHECK(simulate(seed).hash == hash);
    hashes.insert(hash);
  }
  CHECK(hashes.size() == seeds);
}

TEST_CASE("an item that gets lost is found, and is lost again in the same way") {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Outcome first = simulate(seed, {.sabotage = true});
    if (first.failure.empty()) continue;
    ++found;
    const Outcome again = simulate(seed, {.sabotage = true});
    CHECK(again.failure == first.failure);
    CHECK(again.hash == first.hash);
  }
  CHECK(found > 0);
}
