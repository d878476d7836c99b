#include "pages.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

constexpr std::uint64_t in_use = std::uint64_t{3} << 62;  // present, or swapped

// /proc/self/pagemap, and the process that opened it: after a fork the descriptor still shows the
// parent's memory. Both in one word, so that threads agree.
constinit std::atomic<std::uint64_t> pagemap{0};

int pagemap_file() noexcept {
  auto process = static_cast<std::uint32_t>(getpid());
  std::uint64_t known = pagemap.load(std::memory_order_acquire);
  if (known >> 32 == process) return static_cast<int>(known & 0xFFFF'FFFF) - 1;
  int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  std::uint64_t fresh = std::uint64_t{process} << 32 | static_cast<std::uint32_t>(file + 1);
  if (pagemap.compare_exchange_strong(known, fresh)) {
    if ((known & 0xFFFF'FFFF) != 0) close(static_cast<int>(known & 0xFFFF'FFFF) - 1);
    return file;
  }
  if (file >= 0) close(file);
  return static_cast<int>(known & 0xFFFF'FFFF) - 1;
}

// Reads the entries of the pages from `low` on; how many.
template <std::size_t size>
std::size_t read_entries(int file, std::byte* low, std::size_t pages,
                         std::array<std::uint64_t, size>& entries) noexcept {
  auto first = reinterpret_cast<std::uintptr_t>(low) / page_size();
  ssize_t bytes = pread(file, entries.data(), std::min(pages, size) * sizeof entries[0],
                        static_cast<off_t>(first * sizeof entries[0]));
  return bytes <= 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof entries[0];
}

}  // namespace

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::optional<std::byte*> lowest_used_page(std::byte* low, std::byte* high) noexcept {
  int file = pagemap_file();
  if (file < 0) return std::nullopt;
  // The host may have closed our descriptor, and its number may be another file by now: so this
  // look at a page we know about.
  std::array<std::uint64_t, 1> last;  // NOLINT(*-member-init): the kernel fills it
  if (read_entries(file, high - page_size(), 1, last) != 1) return std::nullopt;
  if ((last[0] & in_use) == 0) return std::nullopt;
  std::array<std::uint64_t, 128> entries;  // NOLINT(*-member-init): the kernel fills it
  while (low != high) {
    auto pages = static_cast<std::size_t>(high - low) / page_size();
    std::size_t count = read_entries(file, low, pages, entries);
    if (count == 0) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      if ((entries[i] & in_use) != 0) return low + i * page_size();
    }
    low += count * page_size();
  }
  return std::nullopt;
}

std::byte* lowest_resident_page(std::byte* low, std::byte* high) noexcept {
  std::array<unsigned char, 128> resident;  // NOLINT(*-member-init): the kernel fills it
  while (low != high) {
    auto pages = std::min(static_cast<std::size_t>(high - low) / page_size(), resident.size());
    if (mincore(low, pages * page_size(), resident.data()) != 0) return low;
    for (std::size_t i = 0; i < pages; ++i) {
      if ((resident[i] & 1) != 0) return low + i * page_size();
    }
    low += pages * page_size();
  }
  return high;
}

bool drop_pages(std::byte* low, std::byte* high) noexcept {
  int error = errno;
  bool dropped = madvise(low, static_cast<std::size_t>(high - low), MADV_DONTNEED) == 0;
  errno = error;
  return dropped;
}

}  // namespace jumpcut::impl
