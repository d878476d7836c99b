// jumpcut/lowlevel/stack_pool.hpp: how many stacks can be had, which limit ends it, and what is
// left to the rest of the program then.

#include <jumpcut/lowlevel/stack_pool.hpp>

#include <jumpcut/error.hpp>

#include "child.hpp"

#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::GuardMode, jumpcut::lowlevel::Stack, jumpcut::lowlevel::StackPool,
    jumpcut::lowlevel::StackPoolOptions;

namespace {

std::size_t count_lines(const char* path) {
  std::ifstream file(path);
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

std::size_t bytes_mapped() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// In a child: leaves this much to whatever the resource limits, or says that it can't be done, as
/// in an emulator that has to ignore it.
void limit(__rlimit_resource resource, std::size_t bytes) {
  rlimit wanted{.rlim_cur = bytes, .rlim_max = bytes};
  rlimit got{};
  if (setrlimit(resource, &wanted) != 0 || getrlimit(resource, &got) != 0) _exit(skipped);
  if (got.rlim_cur != bytes) _exit(skipped);
}

/// In a child: takes stacks until none is left, prints why, and sees what still works.
void take_all(StackPool& pool, std::size_t at_least) {
  std::vector<Stack> stacks;
  stacks.reserve(200'000);
  try {
    for (;;) stacks.push_back(pool.take());
  } catch (const std::bad_alloc& error) {
    std::printf("%zu stacks, then: %s\n", stacks.size(), error.what());
  }
  expect(stacks.size() >= at_least, "enough stacks can be had");
  expect(pool.statistics().in_use == stacks.size(), "the refused one is not counted");
  void* large = std::malloc(8 << 20);
  expect(large != nullptr, "malloc of 8 MiB works");
  for (int i = 0; i < 1000; ++i) expect(std::malloc(1000) != nullptr, "malloc works");
  std::free(large);
  for (const Stack& stack : stacks) stack.top[-1] = std::byte{1};
  for (const Stack& stack : stacks) pool.give_back(stack);
  for (Stack& stack : stacks) stack = pool.take();
  try {
    pool.take();
    expect(false, "one more is refused again");
  } catch (const jumpcut::ResourceError&) {
  }
  pool.leak();
}

}  // namespace

TEST_CASE("20,000 guarded stacks take a handful of mappings") {
  if (StackPool().guard_mode() != GuardMode::madvise || sanitized) return;
  StackPool pool;
  std::size_t before = count_lines("/proc/self/maps");
  std::vector<Stack> stacks(20'000);
  for (Stack& stack : stacks) stack = pool.take();
  CHECK(count_lines("/proc/self/maps") - before <= 20);
  for (const Stack& stack : stacks) pool.give_back(stack);
}

TEST_CASE("where RLIMIT_AS ends the stacks it is named, and malloc still works") {
  if (sanitized) return;
  Ended ended = in_child([] {
    StackPool pool;
    limit(RLIMIT_AS, bytes_mapped() + (std::size_t{200} << 20));
    take_all(pool, 500);
  });
  INFO(ended.output);
  if (ended.exit_code == skipped) return;
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("RLIMIT_AS"));
}

TEST_CASE("where RLIMIT_DATA ends the stacks it is named") {
  if (sanitized) return;
  Ended ended = in_child([] {
    StackPool pool;
    limit(RLIMIT_DATA, std::size_t{200} << 20);
    take_all(pool, 400);
  });
  INFO(ended.output);
  if (ended.exit_code == skipped) return;
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("RLIMIT_DATA"));
}

TEST_CASE("guards by mprotect end before vm.max_map_count does, and name it") {
  if (sanitized) return;
  std::size_t most = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> most;
  if (most > 100'000) return;  // too many to try
  Ended ended = in_child([&] {
    StackPool pool({.stack_size = StackPool::min_stack_size(), .guard = GuardMode::mprotect});
    take_all(pool, most / 3);
    std::thread([] { std::printf("a thread starts\n"); }).join();
    for (int i = 0; i < 4000; ++i) {
      void* one = mmap(nullptr, 4096, i % 2 == 0 ? PROT_READ : PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      expect(one != MAP_FAILED, "the host has 4,000 mappings left");
    }
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.output, Catch::Contains("vm.max_map_count=" + std::to_string(most * 4)));
  CHECK_THAT(ended.output, Catch::Contains("a thread starts"));
}

TEST_CASE("the mappings of a pool that is gone are free for the next one") {
  if (sanitized) return;
  Ended ended = in_child([] {
    for (int round = 0; round < 10; ++round) {
      StackPool pool({.stack_size = StackPool::min_stack_size(), .guard = GuardMode::mprotect});
      std::vector<Stack> stacks(5'000);
      for (Stack& stack : stacks) stack = pool.take();
      for (const Stack& stack : stacks) pool.give_back(stack);
    }
  });
  INFO(ended.output);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("where the program uses up vm.max_map_count itself, that is what is named") {
  if (sanitized) return;
  std::size_t most = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> most;
  if (most > 100'000) return;
  Ended ended = in_child([&] {
    std::size_t bytes = most * 4096;
    auto* memory = static_cast<char*>(
        mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (std::size_t i = 0; i < most; i += 2) mprotect(memory + i * 4096, 4096, PROT_NONE);
    StackPool pool;
    take_all(pool, 0);
  });
  INFO(ended.output);
  if (ended.output.find("0 stacks") == std::string::npos) return;  // an emulator has none
  CHECK_THAT(ended.output, Catch::Contains("vm.max_map_count"));
}

TEST_CASE("in a program that locks its memory the guards are made by mprotect") {
  if (sanitized) return;
  Ended ended = in_child([] {
    StackPool before;
    Stack early = before.take();
    rlimit most{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &most);
    if (mlockall(MCL_FUTURE) != 0) _exit(skipped);
    StackPool pool({.stack_size = StackPool::min_stack_size()});
    Stack stack = pool.take();
    expect(pool.guard_mode() == GuardMode::mprotect, "mprotect");
    expect(pool.canary_intact(stack), "a guard is better than a canary");
    if (StackPool().guard_mode() == GuardMode::madvise) {
      StackPool strict({.stack_size = StackPool::min_stack_size(), .guard = GuardMode::madvise});
      try {
        strict.take();
        expect(false, "refused");
      } catch (const jumpcut::ResourceError& error) {
        std::printf("%s\n", error.what());
      }
    } else {
      std::printf("mlockall\n");
    }
    StackPool scrubs({.stack_size = 256 * 1024, .scrub = jumpcut::lowlevel::Scrub::on_release});
    Stack secret = scrubs.take();
    std::memset(secret.low, 1, static_cast<std::size_t>(secret.top - secret.low));
    scrubs.give_back(secret);
    secret = scrubs.take();
    for (auto* at = secret.low; at < secret.top; ++at) expect(*at == std::byte{0}, "scrubbed");
    std::fflush(stdout);
    before.give_back(early);
    stack.low[-1] = std::byte{1};
  });
  INFO(ended.output);
  if (ended.exit_code == skipped) return;
  CHECK(ended.signal == SIGSEGV);
  CHECK_THAT(ended.output, Catch::Contains("mlockall"));
}
