#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace jumpcut {

namespace impl {
class FileState;
}  // namespace impl

/// Returns once a thread of the loop's pool has read the whole file. Throws std::system_error that
/// names the file, Cancelled, RuntimeError outside a task.
JUMPCUT_API std::string read_file(const std::string& path);
/// Returns once a thread has written the file, which has these bytes then, and nothing of before.
/// Throws the same. If it is cancelled, the thread goes on all the same.
JUMPCUT_API void write_file(const std::string& path, std::string_view data);

enum class FileMode : std::uint8_t {
  read,        ///< it must be there
  read_write,  ///< it must be there
  create,      ///< made if it isn't there; read and written
  truncate,    ///< the same, and emptied
};

/// A file that threads of the loop's pool read and write, at places that each call names: the
/// system never says that a file would have to be waited for. All calls wait, and throw
/// std::system_error that names the file, DescriptorClosed after close(), Cancelled, and
/// RuntimeError outside a task. A call that is cancelled while a thread is at it goes on there.
class JUMPCUT_API File {
 public:
  /// None.
  File() noexcept = default;
  explicit File(const std::string& path, FileMode mode = FileMode::read);

  /// Up to so much from there on; less at the end alone.
  std::string read_at(std::uint64_t offset, std::size_t most) const;
  /// All of it; what lies between the file's end and there is zeros.
  void write_at(std::uint64_t offset, std::string_view data) const;
  std::uint64_t size() const;
  void resize(std::uint64_t size) const;
  /// Returns once what was written is on the disk.
  void sync() const;
  /// Nothing waits: the descriptor goes with the last call that is under way.
  void close() noexcept { state_.reset(); }
  bool is_open() const noexcept { return state_ != nullptr; }

 private:
  std::shared_ptr<impl::FileState> state(const char* call) const;

  std::shared_ptr<impl::FileState> state_;
};

}  // namespace jumpcut
