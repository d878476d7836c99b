#include "base/own_threads.hpp"

#include "base/sanitizers.hpp"

#include <dirent.h>

namespace jumpcut::impl {

constinit std::atomic<int> own_threads{0};

bool foreign_threads_exist() noexcept {
  DIR* folder = opendir("/proc/self/task");
  if (folder == nullptr) return true;
  int threads = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++threads;
  }
  closedir(folder);
  return threads > 1 + own_threads.load(std::memory_order_relaxed) + sanitizers::own_threads;
}

}  // namespace jumpcut::impl
