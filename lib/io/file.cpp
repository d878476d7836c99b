#include <jumpcut/file.hpp>

#include <jumpcut/to_thread.hpp>
#include <jumpcut/wait_fd.hpp>

#include "base/system_error.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut {

namespace impl {

/// Held by the File, and by each call that a thread is at.
class FileState {
 public:
  FileState(std::string path, int flags) : path_(std::move(path)) {
    do {
      fd_ = open(path_.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) fail("open");
  }
  FileState(const FileState&) = delete;
  FileState& operator=(const FileState&) = delete;
  ~FileState() {
    if (fd_ >= 0) close(fd_);
  }

  std::string read_at(std::uint64_t offset, std::size_t most) const {
    std::string text(most, '\0');
    std::size_t size = 0;
    while (size < most) {
      const ssize_t more =
          pread(fd_, text.data() + size, most - size, static_cast<off_t>(offset + size));
      if (more == 0) break;
      if (more > 0) {
        size += static_cast<std::size_t>(more);
      } else if (errno != EINTR) {
        fail("read");
      }
    }
    text.resize(size);
    return text;
  }
  void write_at(std::uint64_t offset, std::string_view data) const {
    while (!data.empty()) {
      const ssize_t written = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (written > 0) {
        data.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
      } else if (written == 0 || errno != EINTR) {
        if (written == 0) errno = ENOSPC;
        fail("write");
      }
    }
  }
  std::string read_all() const {
    constexpr std::size_t part = std::size_t{64} * 1024;
    std::string text;
    // What says that it is empty may not be: files of /proc.
    for (std::size_t room = static_cast<std::size_t>(size()) + 1;; room = part) {
      const std::string more = read_at(text.size(), room);
      text += more;
      if (more.size() < room) return text;
    }
  }
  std::uint64_t size() const {
    struct stat status {};
    if (fstat(fd_, &status) != 0) fail("stat");
    return static_cast<std::uint64_t>(status.st_size);
  }
  void resize(std::uint64_t size) const {
    while (ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) fail("resize");
    }
  }
  void sync() const {
    while (fdatasync(fd_) != 0) {
      if (errno != EINTR) fail("sync");
    }
  }

 private:
  [[noreturn]] void fail(const char* call) const {
    throw_system_error(errno, "%s of file '%s'", call, path_.c_str());
  }

  const std::string path_;
  int fd_ = -1;
};

}  // namespace impl

namespace {

int flags_of(FileMode mode) noexcept {
  switch (mode) {
    case FileMode::read:
      return O_RDONLY;
    case FileMode::read_write:
      return O_RDWR;
    case FileMode::create:
      return O_RDWR | O_CREAT;
    default:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  return to_thread([path] { return impl::FileState(path, O_RDONLY).read_all(); });
}

void write_file(const std::string& path, std::string_view data) {
  to_thread([path, kept = std::string(data)] {
    impl::FileState(path, O_WRONLY | O_CREAT | O_TRUNC).write_at(0, kept);
  });
}

File::File(const std::string& path, FileMode mode)
    : state_(to_thread([path, flags = flags_of(mode)] {
        return std::make_shared<impl::FileState>(path, flags);
      })) {}

std::shared_ptr<impl::FileState> File::state(const char* call) const {
  if (state_ != nullptr) return state_;
  throw DescriptorClosed(EBADF, std::generic_category(),
                         std::string(call) + " of a file that is closed");
}

std::string File::read_at(std::uint64_t offset, std::size_t most) const {
  return to_thread(
      [state = state("read_at"), offset, most] { return state->read_at(offset, most); });
}

void File::write_at(std::uint64_t offset, std::string_view data) const {
  to_thread([state = state("write_at"), offset, kept = std::string(data)] {
    state->write_at(offset, kept);
  });
}

std::uint64_t File::size() const {
  return to_thread([state = state("size")] { return state->size(); });
}

void File::resize(std::uint64_t size) const {
  to_thread([state = state("resize"), size] { state->resize(size); });
}

void File::sync() const {
  to_thread([state = state("sync")] { state->sync(); });
}

}  // namespace jumpcut
