#include "guard.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace jumpcut::impl {

using lowlevel::GuardMode;

namespace {

constexpr int madv_guard_install = 102;  // newer than the C library's headers

constexpr std::size_t canary_words = 8;
constexpr std::uint64_t canary = 0x6A75'6D70'6375'7421;

// Asks the kernel to read a byte, because it answers with an error and not with a signal.
bool kernel_can_read(const void* address) noexcept {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    // No descriptors left. A path is read as well; this one is empty, or can't be read.
    return faccessat(AT_FDCWD, static_cast<const char*>(address), F_OK, 0) == 0 || errno != EFAULT;
  }
  bool denied = write(ends[1], address, 1) == -1 && errno == EFAULT;
  close(ends[0]);
  close(ends[1]);
  return !denied;
}

// The return code proves nothing: emulators say yes to advice they do not know.
bool try_out(GuardMode mode) noexcept {
  void* memory =
      mmap(nullptr, guard_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* guard = static_cast<std::byte*>(memory);
  bool works = install_guard(mode, guard) == 0 && !kernel_can_read(guard) &&
               !kernel_can_read(guard + guard_size() - 1);
  munmap(memory, guard_size());
  return works;
}

}  // namespace

bool guard_works(GuardMode mode) noexcept {
  switch (mode) {
    case GuardMode::madvise: {
      static const bool works = try_out(GuardMode::madvise);
      return works;
    }
    case GuardMode::mprotect: {
      static const bool works = try_out(GuardMode::mprotect);
      return works;
    }
    case GuardMode::automatic:
    case GuardMode::canary:
      break;
  }
  return true;
}

GuardMode best_guard() noexcept {
  for (GuardMode mode : {GuardMode::madvise, GuardMode::mprotect}) {
    if (guard_works(mode)) return mode;
  }
  return GuardMode::canary;
}

const char* guard_name(GuardMode mode) noexcept {
  switch (mode) {
    case GuardMode::automatic:
      return "automatic";
    case GuardMode::madvise:
      return "madvise";
    case GuardMode::mprotect:
      return "mprotect";
    case GuardMode::canary:
      return "canary";
  }
  return "?";
}

int install_guard(GuardMode mode, std::byte* guard) noexcept {
  int result = 0;
  if (mode == GuardMode::madvise) result = madvise(guard, guard_size(), madv_guard_install);
  if (mode == GuardMode::mprotect) result = mprotect(guard, guard_size(), PROT_NONE);
  if (mode == GuardMode::canary) paint_canary(guard + guard_size());
  return result == 0 ? 0 : errno;
}

void paint_canary(std::byte* low) noexcept {
  for (std::size_t i = 1; i <= canary_words; ++i) {
    std::memcpy(low - i * sizeof canary, &canary, sizeof canary);
  }
}

bool canary_untouched(const std::byte* low) noexcept {
  std::uint64_t difference = 0;
  for (std::size_t i = 1; i <= canary_words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, low - i * sizeof canary, sizeof word);
    difference |= word ^ canary;
  }
  return difference == 0;
}

void announce_guard(GuardMode asked, GuardMode active) noexcept {
  static std::atomic<bool> announced{false};
  const char* debug = std::getenv("JUMPCUT_DEBUG");
  if (debug == nullptr || std::strcmp(debug, "1") != 0 || announced.exchange(true)) return;
  const char* why = "asked for";
  if (asked == GuardMode::automatic) {
    if (active == GuardMode::madvise) why = "MADV_GUARD_INSTALL passed the probe";
    if (active == GuardMode::mprotect) {
      why = "MADV_GUARD_INSTALL, of Linux 6.13, failed the probe; mprotect passed it";
    }
    if (active == GuardMode::canary)
      why = "neither MADV_GUARD_INSTALL nor mprotect passed the probe";
  }
  char text[160];
  int length = std::snprintf(text, sizeof text, "jumpcut: stacks are guarded by %s (%s)\n",
                             guard_name(active), why);
  (void)!write(STDERR_FILENO, text, static_cast<std::size_t>(length));
}

}  // namespace jumpcut::impl
