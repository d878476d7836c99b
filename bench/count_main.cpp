// count_main WHAT N: does one thing N times, for count.py, which counts the instructions. Without
// arguments it says how it was built.

#include <jumpcut/jumpcut.hpp>
#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using jumpcut::await;
using jumpcut::create_task;
using jumpcut::Future;
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

void sleep_zero(int count) {
  jumpcut::run([&] {
    const auto sleeps = [&] {
      for (int i = 0; i < count / 2; ++i) jumpcut::sleep(0s);
    };
    const auto other = create_task(sleeps);
    sleeps();
    await(other);
  });
}

void create_await(int count) {
  jumpcut::run([&] {
    for (int i = 0; i < count; ++i) await(create_task([] {}));
  });
}

/// In lots of a thousand.
void gather_1000(int count) {
  jumpcut::run([&] {
    std::vector<jumpcut::Task<>> all;
    for (int i = 0; i < count / 1'000; ++i) {
      for (int j = 0; j < 1'000; ++j) all.push_back(create_task([] {}));
      gather(all);
      all.clear();
    }
  });
}

/// Two tasks, each of which sets a new future that the other awaits.
void future_round_trip(int count) {
  jumpcut::run([&] {
    Future<int> ping;
    Future<int> pong;
    const auto answers = create_task([&] {
      for (int i = 0; i < count; ++i) {
        const int ball = await(ping);
        ping = Future<int>();
        pong.set_result(ball);
      }
    });
    for (int i = 0; i < count; ++i) {
      ping.set_result(i);
      await(pong);
      pong = Future<int>();
    }
    await(answers);
  });
}

void channel_round_trip(int count) {
  jumpcut::run([&] {
    jumpcut::Channel<int> ping;
    jumpcut::Channel<int> pong;
    const auto answers = create_task([&] {
      for (const int ball : ping) pong.send(ball);
    });
    for (int i = 0; i < count; ++i) {
      ping.send(i);
      pong.receive();
    }
    ping.close();
    await(answers);
  });
}

void lock_unlock(int count) {
  jumpcut::run([&] {
    jumpcut::Lock lock;
    for (int i = 0; i < count; ++i) {
      lock.lock();
      lock.unlock();
    }
  });
}

void queue_put_get(int count) {
  jumpcut::run([&] {
    jumpcut::Queue<int> queue;
    for (int i = 0; i < count; ++i) {
      queue.put(i);
      queue.get();
    }
  });
}

void call_soon(int count) {
  jumpcut::run([&] {
    auto& loop = jumpcut::get_running_loop();
    for (int i = 0; i < count; ++i) {
      loop.call_soon([] {});
      if (i % 100 == 99) jumpcut::sleep(0s);
    }
  });
}

void call_later_cancel(int count) {
  jumpcut::run([&] {
    auto& loop = jumpcut::get_running_loop();
    for (int i = 0; i < count; ++i) loop.call_later(1h, [] {}).cancel();
  });
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
    {"task.sleep0", sleep_zero},
    {"task.create_await", create_await},
    {"task.gather_1000", gather_1000},
    {"task.future_round_trip", future_round_trip},
    {"task.channel_round_trip", channel_round_trip},
    {"sync.lock_unlock", lock_unlock},
    {"sync.queue_put_get", queue_put_get},
    {"loop.call_soon", call_soon},
    {"loop.call_later_cancel", call_later_cancel},
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
