// Programs with one bug each, on a fiber, and programs without any that a tool might take for
// buggy: `planted NAME` runs one. tests/planted.py looks at what the tool says of it.

#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <array>
#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using jumpcut::lowlevel::Context;
using jumpcut::lowlevel::current_fiber;
using jumpcut::lowlevel::Fiber;
using jumpcut::lowlevel::park;
using jumpcut::lowlevel::Scheduler;
using jumpcut::lowlevel::spawn;
using jumpcut::lowlevel::Stack;
using jumpcut::lowlevel::Wait;
using jumpcut::lowlevel::wake;
using jumpcut::lowlevel::yield;

namespace {

volatile int sink;
volatile int four = 4;

[[gnu::noinline]] void read_behind_block() {
  const auto block = std::make_unique<int[]>(4);
  yield();
  sink = block[static_cast<std::size_t>(four)];
}

[[gnu::noinline]] void write_behind_array() {
  std::array<int, 4> array{};
  volatile int* volatile hidden = array.data();
  yield();
  hidden[four] = 1;
}

[[gnu::noinline]] int* pointer_to_local() {
  int local = 1;
  int* volatile pointer = &local;
  yield();
  return pointer;
}

[[gnu::noinline]] void read_after_free() {
  int* block = new int(1);
  Scheduler::current().spawn([block] { delete block; });
  yield();
  sink = *block;
}

[[gnu::noinline]] void branch_on_nothing() {
  const std::unique_ptr<int> block(new int);
  yield();
  if (*block == 1) sink = 1;
}

[[gnu::noinline]] void add_too_much() {
  int most = INT_MAX - 4;
  yield();
  sink = most + four + four;
}

/// Nothing above it keeps the pointer: not the frame, which is gone, nor a register.
[[gnu::noinline]] void lose_block() {
  volatile char* block = new char[100];
  block[0] = 1;
}

[[gnu::noinline]] void wipe_registers_and_frames() {
  std::array<volatile char, 4096> room;
  for (volatile char& byte : room) byte = 0;
}

void run(void (*function)()) {
  Scheduler scheduler;
  scheduler.spawn(function, {.name = "planted"});
  scheduler.run();
}

void use_after_return() {
  Scheduler scheduler;
  static int* pointer = nullptr;
  static Wait wait;
  scheduler.spawn([] {
    pointer = pointer_to_local();
    park(wait);
  });
  scheduler.spawn([] {
    yield();
    yield();
    sink = *pointer;
  });
  scheduler.run();
}

void touch_given_back_stack() {
  Scheduler scheduler;
  static Stack stack;
  scheduler.spawn([] { stack = current_fiber()->stack(); });
  scheduler.run();
  sink = static_cast<int>(stack.top[-256]);
}

void leak() {
  Scheduler scheduler;
  for (int i = 0; i < 20; ++i) {
    scheduler.spawn([] {
      yield();
      lose_block();
      wipe_registers_and_frames();
      yield();
    });
  }
  scheduler.run();
}

/// Parks for ever, and all that knows of the block is a local: in memory, and in a register.
[[gnu::noinline]] void own_and_park(Wait& wait) {
  char* volatile in_memory = new char[100];
  char* in_register = new char[200];
  park(wait);
  delete[] in_memory;
  delete[] in_register;
}

std::array<Wait, 50> never;

void spawn_owners(Scheduler& scheduler) {
  for (Wait& wait : never) scheduler.spawn([&wait] { own_and_park(wait); });
}

void owned_by_parked() {
  Scheduler scheduler;
  spawn_owners(scheduler);
  scheduler.run();
  wipe_registers_and_frames();
}

void owned_by_parked_alive() {
  static Scheduler* scheduler = new Scheduler;
  spawn_owners(*scheduler);
  scheduler->run();
  wipe_registers_and_frames();
}

[[gnu::noinline]] char* make_block() {
  return new char[100];
}

/// The process ends on a fiber, while the hub and others are parked.
void owned_by_hub() {
  char* volatile block = make_block();
  wipe_registers_and_frames();
  Scheduler scheduler;
  spawn_owners(scheduler);
  scheduler.spawn([] {
    yield();
    std::exit(0);
  });
  scheduler.run();
  delete[] block;
}

[[gnu::noinline]] void throw_and_catch(int depth, bool is_outermost = true) {
  std::array<volatile char, 200> room{};
  room[static_cast<std::size_t>(depth)] = 1;
  try {
    if (depth == 0) throw std::runtime_error("from the depth");
    throw_and_catch(depth - 1, false);
  } catch (const std::runtime_error&) {
    yield();
    if (!is_outermost) throw;
  }
}

/// Frames of all sizes, so that what one leaves behind lies in the middle of another.
[[gnu::noinline]] void fill_frames(int depth) {
  std::array<volatile char, 50> small{};
  for (volatile char& byte : small) byte = 1;
  std::array<volatile char, 3000> large{};
  for (volatile char& byte : large) byte = 1;
  yield();
  if (depth > 0) fill_frames(depth - 1);
}

void exceptions() {
  Scheduler scheduler;
  for (int round = 0; round < 5; ++round) {
    std::array<Wait, 20> waits;
    for (Wait& wait : waits) {
      scheduler.spawn([&wait] {
        throw_and_catch(10);
        park(wait);
        fill_frames(20);
      });
    }
    for (int i = 0; i < 80; ++i) {
      scheduler.spawn([round] { round % 2 == 0 ? fill_frames(20) : throw_and_catch(10); });
    }
    scheduler.run();
    for (Wait& wait : waits) wake(wait);
    scheduler.run();
  }
}

void visits() {
  Scheduler scheduler;
  static Fiber* parked = nullptr;
  static Wait wait;
  scheduler.spawn([] {
    parked = current_fiber();
    throw_and_catch(10);
    park(wait);
    throw_and_catch(10);
  });
  const auto visit = [] {
    for (int i = 0; i < 3; ++i) {
      parked->run_on_top(
          [](void*) noexcept {
            std::array<volatile char, 3000> room{};
            try {
              room[0] = 1;
              throw std::runtime_error("on a visit");
            } catch (const std::runtime_error&) {
            }
          },
          nullptr);
    }
  };
  scheduler.run();
  visit();
  scheduler.spawn(visit);
  scheduler.run();
  wake(wait);
  scheduler.run();
}

/// Two neighbours, and nobody's but the contexts'.
alignas(64) std::array<std::array<std::byte, 256 * 1024>, 2> memory;
Context here;

struct Pair {
  Context* mine;
  Context* next;
};

void play_in_context(void* argument, void*) {
  const Pair& pair = *static_cast<Pair*>(argument);
  std::array<volatile int, 250> room{};
  for (volatile int& word : room) word = 1;
  pair.mine->switch_to(*pair.next);
  run([] { throw_and_catch(5); });
  try {
    throw std::runtime_error("in a context");
  } catch (const std::runtime_error&) {
  }
  for (volatile int& word : room) sink = word == 1 ? 1 : 2;
  pair.mine->switch_to(here);
  std::abort();
}

/// Contexts that are left where they stand, and the next ones on the same memory.
void contexts() {
  for (int i = 0; i < 20; ++i) {
    Pair first{};
    Pair second{};
    Context one(memory[0], play_in_context, &first);
    Context two(memory[1], play_in_context, &second);
    first = {&one, &two};
    second = {&two, &one};
    here.switch_to(one);  // to two, to one, and here
    here.switch_to(two);  // and here
    try {
      throw std::runtime_error("outside");
    } catch (const std::runtime_error&) {
    }
  }
}

int shared;
int raced;

/// Deep enough that a tool which takes all fibers for one stack runs out of it.
[[gnu::noinline]] void park_deep(Wait& wait, int depth) {
  if (depth > 0) {
    park_deep(wait, depth - 1);
  } else {
    park(wait);
  }
  shared = shared + 1;
}

/// While another fiber is parked, whose calls are none of this one's.
void race() {
  Wait wait;
  Scheduler scheduler;
  scheduler.spawn([&wait] { park_deep(wait, 3); });
  scheduler.run();
  std::thread other([] { raced = 1; });
  scheduler.spawn([] {
    yield();
    raced = 2;
  });
  scheduler.run();
  other.join();
  sink = raced;
  wake(wait);
  scheduler.run();
}

void share_on_one_thread() {
  Scheduler scheduler;
  for (int i = 0; i < 100; ++i) {
    scheduler.spawn([] {
      for (int step = 0; step < 10; ++step) {
        shared = shared + 1;
        yield();
      }
    });
  }
  scheduler.call_soon([] { shared = 0; });
  scheduler.run();
  shared = shared + 1;
}

void hand_over() {
  static std::mutex mutex;
  static int under_mutex = 0;
  static std::unique_ptr<int> handed;
  static std::atomic<bool> is_handed{false};
  const auto play = [] {
    Scheduler scheduler;
    for (int i = 0; i < 10; ++i) {
      scheduler.spawn([] {
        for (int step = 0; step < 10; ++step) {
          {
            const std::lock_guard lock(mutex);
            ++under_mutex;
          }
          yield();
        }
      });
    }
    scheduler.run();
  };
  std::thread other([&] {
    play();
    while (!is_handed.load(std::memory_order_acquire)) std::this_thread::yield();
    run([] { sink = *handed; });
  });
  play();
  run([] {
    handed = std::make_unique<int>(1);
    yield();
    is_handed.store(true, std::memory_order_release);
  });
  other.join();
}

/// 10,000 come and go, 100 at a time; then 2,000 are parked at once, three times, on the stacks and
/// with the records of those before.
void many() {
  Scheduler scheduler;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 100; ++i) {
      scheduler.spawn([] {
        yield();
        throw_and_catch(2);
      });
    }
    scheduler.run();
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<Wait> waits(2000);
    for (Wait& wait : waits) {
      scheduler.spawn([&wait] { park_deep(wait, 60); });
    }
    scheduler.run();
    for (Wait& wait : waits) wake(wait);
    scheduler.run();
  }
}

struct Program {
  const char* name;
  void (*run)();
};

constexpr Program programs[] = {
    {"heap-overflow", [] { run(read_behind_block); }},
    {"stack-overflow", [] { run(write_behind_array); }},
    {"use-after-return", use_after_return},
    {"use-after-free", [] { run(read_after_free); }},
    {"uninitialised", [] { run(branch_on_nothing); }},
    {"signed-overflow", [] { run(add_too_much); }},
    {"given-back-stack", touch_given_back_stack},
    {"leak", leak},
    {"race", race},
    {"owned-by-parked", owned_by_parked},
    {"owned-by-parked-alive", owned_by_parked_alive},
    {"owned-by-hub", owned_by_hub},
    {"exceptions", exceptions},
    {"visits", visits},
    {"contexts", contexts},
    {"shared-on-one-thread", share_on_one_thread},
    {"handed-over", hand_over},
    {"many", many},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Program& program : programs) {
    if (argc != 2 || std::strcmp(argv[1], program.name) != 0) continue;
    program.run();
    return 0;
  }
  std::fprintf(stderr, "no such program\n");
  return 2;
}
