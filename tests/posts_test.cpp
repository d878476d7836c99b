// Loop::call_soon_threadsafe under load: none lost, none reordered within a thread, and a loop that
// sleeps is woken.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "child.hpp"

using namespace std::chrono_literals;

namespace {

constexpr int producers = 8;
constexpr std::int64_t posts = sanitized ? 400'000 : 5'000'000;

}  // namespace

TEST_CASE("no post is lost or overtakes another of its thread, while the loop sleeps and wakes") {
  std::array<std::int64_t, producers> last{};
  std::int64_t reordered = 0;
  std::int64_t taken = 0;
  std::uint64_t polls = 0;
  jumpcut::run([&] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    jumpcut::Future<> all;
    std::vector<std::thread> threads;
    for (int producer = 0; producer < producers; ++producer) {
      threads.emplace_back([&, producer] {
        std::minstd_rand random(static_cast<unsigned>(producer) + 1);
        for (std::int64_t i = 1; i <= posts / producers; ++i) {
          loop.call_soon_threadsafe([&, producer, i] {
            auto& before = last[static_cast<std::size_t>(producer)];
            if (i != before + 1) ++reordered;
            before = i;
            if (++taken == posts / producers * producers) all.set_result();
          });
          // Now and then one pauses; sometimes all do, and the loop sleeps.
          const auto dice = random() % 4096;
          if (dice == 0) std::this_thread::sleep_for(200us);
          if (dice < 64) std::this_thread::yield();
        }
      });
    }
    await(all);
    for (auto& thread : threads) thread.join();
    polls = loop.stats().polls;
  });
  CHECK(taken == posts / producers * producers);
  CHECK(reordered == 0);
  // Of nine threads on few processors one may always post, where each instruction takes long.
  if (!EMULATED && !sanitized) CHECK(polls > 10);
}

TEST_CASE("each post wakes a loop that sleeps") {
  jumpcut::run([&] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    for (int i = 0; i < (sanitized ? 2'000 : 20'000); ++i) {
      jumpcut::Future<int> answer;
      // From a thread that is there already, so that the loop is asleep by then or about to be.
      auto asked = jumpcut::run_in_executor(nullptr, [&loop, answer = &answer, i] {
        loop.call_soon_threadsafe([answer, i] { answer->set_result(int{i}); });
      });
      CHECK(await(answer) == i);
      await(asked);
    }
  });
}
