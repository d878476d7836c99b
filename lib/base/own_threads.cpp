#include "base/own_threads.hpp"

#include "base/sanitizers.hpp"

#include <array>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace jumpcut::impl {

constinit std::atomic<int> own_threads{0};

namespace {

/// 0 if that can't be known. Not the number of entries in /proc/self/task: while one thread ends,
/// the list of them may leave out another.
int thread_count() noexcept {
  const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 512> text{};
  const ssize_t size = read(file, text.data(), text.size() - 1);
  close(file);
  if (size <= 0) return 0;
  // The second field is a name in parentheses, in which anything may be.
  std::string_view rest(text.data(), static_cast<std::size_t>(size));
  rest.remove_prefix(rest.rfind(')') + 1);
  constexpr int fields_before = 18;
  for (int i = 0; i < fields_before; ++i) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return 0;
    rest.remove_prefix(space + 1);
  }
  return std::atoi(rest.data());
}

}  // namespace

bool foreign_threads_exist() noexcept {
  const int threads = thread_count();
  return threads == 0 ||
         threads > 1 + own_threads.load(std::memory_order_relaxed) + sanitizers::own_threads;
}

}  // namespace jumpcut::impl
