#include "base/own_descriptors.hpp"

#include "base/sanitizers.hpp"

#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

thread_local bool left = false;

/// A copy of the process's standard error; -1 where the kernel has none of that, or a sandbox
/// forbids it.
int copy_of_standard_error() noexcept {
  const long process = syscall(SYS_pidfd_open, getpid(), 0u);
  if (process < 0) return -1;
  const long copy = syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0u);
  close(static_cast<int>(process));
  return static_cast<int>(copy);
}

}  // namespace

void leave_descriptors() noexcept {
  if (sanitizers::announced || sanitizers::on_valgrind()) return;
  const int copy = copy_of_standard_error();
  if (copy < 0) return;
  close(copy);
  left = close_range(0, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

BorrowedStandardError::BorrowedStandardError() noexcept {
  if (!left) return;
  const int copy = copy_of_standard_error();
  if (copy < 0) return;  // it is closed
  dup2(copy, STDERR_FILENO);
  close(copy);
}

BorrowedStandardError::~BorrowedStandardError() {
  if (left) close(STDERR_FILENO);
}

}  // namespace jumpcut::impl
