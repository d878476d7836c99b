#include "io/worker_descriptors.hpp"

#include <array>
#include <cstdlib>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

/// Other workers' results too would be kept as long as this one lives.
bool is_result(const char* name, int folder) noexcept {
  std::array<char, 64> target{};
  const ssize_t size = readlinkat(folder, name, target.data(), target.size());
  return size > 0 && std::string_view(target.data(), static_cast<std::size_t>(size))
                         .starts_with("/memfd:jumpcut result");
}

bool may_stay(int fd, const char* name, int folder) noexcept {
  struct stat status {};
  if (fstat(fd, &status) != 0) return true;
  if (S_ISREG(status.st_mode)) return status.st_nlink > 0 || !is_result(name, folder);
  return S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode);
}

void put(int fd, int place) noexcept {
  if (fd < 0 || fd == place) return;
  dup2(fd, place);
  close(fd);
}

}  // namespace

void leave_descriptors_to_parent(int kept) noexcept {
  put(open("/dev/null", O_RDONLY), STDIN_FILENO);
  const int nothing = open("/", O_PATH | O_CLOEXEC);
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr || nothing < 0) return;
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    if (fd <= STDERR_FILENO || fd == kept || fd == nothing || fd == dirfd(folder)) continue;
    if (!may_stay(fd, entry->d_name, dirfd(folder))) dup3(nothing, fd, O_CLOEXEC);
  }
  closedir(folder);
  close(nothing);
}

}  // namespace jumpcut::impl
