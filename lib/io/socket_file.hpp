// The file of a Unix socket.

#pragma once

#include <string>

#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut::impl {

/// If the path is that of a socket, which somebody left without removing it.
inline void remove_stale_socket(const std::string& path) noexcept {
  if (path.empty() || path.front() == '\0') return;
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
}

}  // namespace jumpcut::impl
