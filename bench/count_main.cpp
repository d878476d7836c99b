// count_main WHAT N: does one thing N times, for count.py, which counts the instructions. Without
// arguments it says how it was built.

#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

using jumpcut::lowlevel::Context;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::Wait;

namespace {

std::array<std::byte, 64 * 1024> stack;
Context main_context;

void answer(void* self, void*) {
  for (;;) static_cast<Context*>(self)->switch_to(main_context);
}

void switch_round_trip(int count) {
  Context other(stack, &answer, &other);
  for (int i = 0; i < count; ++i) main_context.switch_to(other);
}

void yield(int count) {
  Scheduler scheduler;
  for (int fiber = 0; fiber < 2; ++fiber) {
    scheduler.spawn([&] {
      for (int i = 0; i < count / 2; ++i) jumpcut::lowlevel::yield();
    });
  }
  scheduler.run();
}

void park_wake_round_trip(int count) {
  Scheduler scheduler;
  Wait* parked = nullptr;
  for (int fiber = 0; fiber < 2; ++fiber) {
    scheduler.spawn([&] {
      for (int i = 0; i < count; ++i) {
        Wait mine;
        if (Wait* theirs = std::exchange(parked, &mine)) wake(*theirs);
        park(mine);
      }
      wake(*parked);
    });
  }
  scheduler.run();
}

void spawn_join(int count) {
  Scheduler scheduler;
  scheduler.spawn([&] {
    for (int i = 0; i < count; ++i) {
      Wait joined;
      jumpcut::lowlevel::spawn([&] { wake(joined); });
      park(joined);
    }
  });
  scheduler.run();
}

/// In lots of a thousand.
void spawn_1000_join(int count) {
  Scheduler scheduler;
  scheduler.spawn([&] {
    for (int i = 0; i < count / 1'000; ++i) {
      int left = 1'000;
      Wait all_done;
      for (int j = 0; j < 1'000; ++j) {
        jumpcut::lowlevel::spawn([&] {
          if (--left == 0) wake(all_done);
        });
      }
      park(all_done);
    }
  });
  scheduler.run();
}

struct Thing {
  std::string_view name;
  void (*repeat)(int count);
};

constexpr Thing things[] = {
    {"switch.round_trip", switch_round_trip},
    {"fiber.yield", yield},
    {"fiber.park_wake_round_trip", park_wake_round_trip},
    {"fiber.spawn_join", spawn_join},
    {"fiber.spawn_1000_join", spawn_1000_join},
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::puts(JUMPCUT_COUNT_BUILD);
    return 0;
  }
  for (const Thing& thing : things) {
    if (thing.name == arguments[1]) {
      thing.repeat(std::atoi(arguments[2]));
      return 0;
    }
  }
  std::fprintf(stderr, "count_main: no %s here\n", arguments[1]);
  return 1;
}
