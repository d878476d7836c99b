#include "io/worker_descriptors.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

/// Other workers' results too would be kept as long as this one lives. Without /proc they are.
bool is_result(int fd) noexcept {
  std::array<char, 32> link{};
  std::array<char, 64> target{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link.data(), target.data(), target.size());
  return size > 0 && std::string_view(target.data(), static_cast<std::size_t>(size))
                         .starts_with("/memfd:jumpcut result");
}

bool may_stay(int fd) noexcept {
  struct stat status {};
  if (fstat(fd, &status) != 0) return true;
  if (S_ISREG(status.st_mode)) return status.st_nlink > 0 || !is_result(fd);
  return S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode);
}

void put(int fd, int place) noexcept {
  if (fd < 0 || fd == place) return;
  dup2(fd, place);
  close(fd);
}

/// Calls visit(fd) with all that are open, and perhaps some that are not.
template <class Visit>
void visit_descriptors(Visit visit) noexcept {
  if (DIR* folder = opendir("/proc/self/fd")) {
    while (const dirent* entry = readdir(folder)) {
      const int fd = std::atoi(entry->d_name);
      if (fd != dirfd(folder)) visit(fd);
    }
    closedir(folder);
    return;
  }
  // No /proc, or no descriptor left to read it by.
  constexpr int beyond_any_usual = 65'536;
  for (int fd = 0; fd < beyond_any_usual; ++fd) visit(fd);
  close_range(beyond_any_usual, ~0u, 0);
}

}  // namespace

void leave_descriptors_to_parent(int kept) noexcept {
  put(open("/dev/null", O_RDONLY), STDIN_FILENO);
  const int nothing = open("/", O_PATH | O_CLOEXEC);
  visit_descriptors([&](int fd) {
    if (fd <= STDERR_FILENO || fd == kept || fd == nothing || may_stay(fd)) return;
    if (nothing >= 0) {
      dup3(nothing, fd, O_CLOEXEC);
    } else {
      close(fd);
    }
  });
  if (nothing >= 0) close(nothing);
}

}  // namespace jumpcut::impl
