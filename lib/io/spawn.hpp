// How a program is started: with what descriptors, where, in which environment.

#pragma once

#include <jumpcut/descriptor.hpp>
#include <jumpcut/process.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <spawn.h>

namespace jumpcut::impl {

class Spawn {
 public:
  /// Makes the pipes. Throws ValueError without a program, std::system_error.
  Spawn(const std::vector<std::string>& arguments, const ProcessOptions& options);
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn() { clear(); }

  /// Our end of the pipe that is the program's descriptor `place`.
  Descriptor take_pipe(std::size_t place) { return std::move(ours_[place]); }
  /// Throws std::system_error that names the program.
  pid_t start();

 private:
  void clear() noexcept;
  void set_place(int place, Stdio wanted);
  void add(int error, const char* what) const;

  const std::vector<std::string>& arguments_;
  const ProcessOptions& options_;
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  std::array<Descriptor, 3> ours_;
  std::array<int, 3> theirs_{-1, -1, -1};
};

}  // namespace jumpcut::impl
