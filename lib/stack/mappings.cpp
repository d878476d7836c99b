#include "mappings.hpp"

#include <jumpcut/error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

// What is left to the host: a malloc arena's worth of address space, and of the mappings an eighth,
// 8,191 of the default 65,530.
constexpr std::size_t headroom = 16 * 1024 * 1024;
constexpr std::size_t mappings_for_host = 8192;

constexpr std::size_t mappings_per_guard = 2;
constexpr std::size_t recount_after = 4096;

// No stdio: this runs when memory may be short, and perhaps on a small stack.
std::size_t read_number(const char* path, std::size_t otherwise) noexcept {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return otherwise;
  char text[64];
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return otherwise;
  text[length] = 0;
  return std::strtoull(text, nullptr, 10);
}

std::size_t max_mappings() noexcept {
  return read_number("/proc/sys/vm/max_map_count", 65530);
}

std::size_t count_mappings() noexcept {
  int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::size_t lines = 0;
  char text[4096];
  for (ssize_t length; (length = read(file, text, sizeof text)) > 0;) {
    lines += static_cast<std::size_t>(std::count(text, text + length, '\n'));
  }
  close(file);
  return lines;
}

bool above(int resource, std::size_t bytes, rlim_t& limit) noexcept {
  rlimit both{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &both) != 0) return false;
  limit = both.rlim_cur;
  return limit != RLIM_INFINITY && bytes > limit;
}

std::atomic<std::size_t> guards_in_place{0};
std::atomic<std::size_t> host_mappings{0};

}  // namespace

std::byte* map_stacks(std::size_t bytes) noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Otherwise the first touch of a stack could take 2 MiB. Not there, not needed.
  (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
  void* spare = mmap(nullptr, headroom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (spare == MAP_FAILED) {
    int error = errno;
    munmap(memory, bytes);
    errno = error;
    return nullptr;
  }
  munmap(spare, headroom);
  return static_cast<std::byte*>(memory);
}

void throw_no_stacks(std::size_t bytes, int error) {
  std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::size_t mapped = read_number("/proc/self/statm", 0) * page;
  rlim_t limit = 0;
  if (error == EAGAIN) {
    throw ResourceError(
        "no more stacks: %zu bytes can't be locked in memory, as mlockall(MCL_FUTURE) demands; "
        "raise "
        "RLIMIT_MEMLOCK (ulimit -l)",
        bytes);
  }
  if (error == ENOMEM && above(RLIMIT_AS, mapped + bytes + headroom, limit)) {
    throw ResourceError(
        "no more stacks: %zu bytes more, and %zu left to malloc, would exceed RLIMIT_AS, %llu "
        "bytes "
        "(ulimit -v), of which %zu are in use: raise it, or ask for smaller stacks",
        bytes, headroom, static_cast<unsigned long long>(limit), mapped);
  }
  if (error == ENOMEM && above(RLIMIT_DATA, mapped + bytes + headroom, limit)) {
    throw ResourceError(
        "no more stacks: %zu bytes more, and %zu left to malloc, would exceed RLIMIT_DATA, %llu "
        "bytes "
        "(ulimit -d): raise it, or ask for smaller stacks",
        bytes, headroom, static_cast<unsigned long long>(limit));
  }
  if (error == ENOMEM && count_mappings() + 2 >= max_mappings()) {
    throw ResourceError(
        "no more stacks: the process has as many mappings as vm.max_map_count allows, %zu: raise "
        "it "
        "(sysctl vm.max_map_count=%zu)",
        max_mappings(), max_mappings() * 4);
  }
  if (error == ENOMEM && read_number("/proc/sys/vm/overcommit_memory", 0) == 2) {
    throw ResourceError(
        "no more stacks: with vm.overcommit_memory = 2 the system promises no more memory than it "
        "has, and %zu bytes of stacks are more: set it to 0, or ask for smaller stacks",
        bytes);
  }
  throw ResourceError("no more stacks: mapping %zu bytes failed: %s", bytes, std::strerror(error));
}

void claim_guard_mappings() {
  static const std::size_t limit = max_mappings();
  std::size_t guards = guards_in_place.fetch_add(1, std::memory_order_relaxed) + 1;
  std::size_t ours = guards * mappings_per_guard;
  if (guards % recount_after == 1) {
    std::size_t all = count_mappings();
    host_mappings.store(all - std::min(all, ours), std::memory_order_relaxed);
  }
  std::size_t hosts = host_mappings.load(std::memory_order_relaxed);
  if (hosts + ours + std::min(limit / 8, mappings_for_host) <= limit) return;
  release_guard_mappings(1);
  throw ResourceError(
      "no more stacks: %zu guards by mprotect use %zu of the %zu mappings that vm.max_map_count "
      "allows, the rest is for the program: raise it (sysctl vm.max_map_count=%zu), or run on "
      "Linux "
      "6.13, whose MADV_GUARD_INSTALL needs none",
      guards - 1, ours - mappings_per_guard, limit, limit * 4);
}

void release_guard_mappings(std::size_t guards) noexcept {
  guards_in_place.fetch_sub(guards, std::memory_order_relaxed);
}

}  // namespace jumpcut::impl
