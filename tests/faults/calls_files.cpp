// The C library's calls on descriptors and files, by way of the injector.

#include "injector.hpp"

#include <cstdarg>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

using faults::How, faults::Key, faults::Kind, faults::Reached, faults::Real;

extern "C" {

int close(int fd) {
  static constinit Real<&close> real("close");
  const Reached at("close");
  faults::note_closed(fd);
  return at.make([&] { return real(fd); });
}

int faccessat(int folder, const char* path, int mode, int flags) noexcept {
  static constinit Real<&faccessat> real("faccessat");
  return Reached("faccessat").make([&] { return real(folder, path, mode, flags); });
}

int fcntl(int fd, int what, ...) {
  static constinit Real<&fcntl> real("fcntl64");
  std::va_list arguments;
  va_start(arguments, what);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  const bool copies = what == F_DUPFD || what == F_DUPFD_CLOEXEC;
  return Reached(copies ? Key("fcntl (a copy)") : Key("fcntl")).make([&] {
    return real(fd, what, argument);
  });
}

int fdatasync(int fd) {
  static constinit Real<&fdatasync> real("fdatasync");
  return Reached("fdatasync").make([&] { return real(fd); });
}

int fstat(int fd, struct stat* status) noexcept {
  static constinit Real<&fstat> real("fstat64");
  return Reached("fstat").make([&] { return real(fd, status); });
}

int ftruncate(int fd, off_t size) noexcept {
  static constinit Real<&ftruncate> real("ftruncate64");
  return Reached("ftruncate").make([&] { return real(fd, size); });
}

int open(const char* path, int flags, ...) {
  static constinit Real<&open> real("open64");
  std::va_list arguments;
  va_start(arguments, flags);
  const auto mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return Reached("open").make([&] { return real(path, flags, mode); });
}

DIR* opendir(const char* path) {
  static constinit Real<&opendir> real("opendir");
  return Reached("opendir").make([&] { return real(path); }, nullptr);
}

int pipe2(int* ends, int flags) noexcept {
  static constinit Real<&pipe2> real("pipe2");
  return Reached("pipe2").make([&] { return real(ends, flags); });
}

int poll(pollfd* all, nfds_t size, int timeout) {
  static constinit Real<&poll> real("poll");
  return Reached("poll").make([&] { return real(all, size, timeout); });
}

ssize_t pread(int fd, void* buffer, std::size_t size, off_t offset) {
  static constinit Real<&pread> real("pread64");
  const Reached at("pread");
  return at.make([&] { return real(fd, buffer, at.size(size), offset); });
}

ssize_t pwrite(int fd, const void* buffer, std::size_t size, off_t offset) {
  static constinit Real<&pwrite> real("pwrite64");
  const Reached at("pwrite");
  return at.make([&] { return real(fd, buffer, at.size(size), offset); });
}

ssize_t read(int fd, void* buffer, std::size_t size) {
  static constinit Real<&read> real("read");
  const Reached at(faults::kind_of(fd) == Kind::eventfd ? Key("read (eventfd)") : Key("read"), fd);
  return at.make([&] { return real(fd, buffer, at.size(size)); });
}

ssize_t readlink(const char* path, char* buffer, std::size_t size) noexcept {
  static constinit Real<&readlink> real("readlink");
  return Reached("readlink").make([&] { return real(path, buffer, size); });
}

ssize_t readv(int fd, const iovec* vectors, int count) {
  static constinit Real<&readv> real("readv");
  const Reached at("readv", fd);
  return at.make([&] {
    if (at.fault().how != How::shorter) return real(fd, vectors, count);
    iovec first = vectors[0];
    first.iov_len = at.size(first.iov_len);
    return real(fd, static_cast<const iovec*>(&first), 1);
  });
}

int stat(const char* path, struct stat* status) noexcept {
  static constinit Real<&stat> real("stat64");
  return Reached("stat").make([&] { return real(path, status); });
}

int unlink(const char* path) noexcept {
  static constinit Real<&unlink> real("unlink");
  return Reached("unlink").make([&] { return real(path); });
}

ssize_t write(int fd, const void* buffer, std::size_t size) {
  static constinit Real<&write> real("write");
  const Reached at(faults::kind_of(fd) == Kind::memory ? Key("write (memory)") : Key("write"));
  if (at.is_by_library() && fd == STDERR_FILENO) {
    faults::note_warning({static_cast<const char*>(buffer), size});
    return static_cast<ssize_t>(size);
  }
  return at.make([&] { return real(fd, buffer, at.size(size)); });
}

ssize_t writev(int fd, const iovec* vectors, int count) {
  static constinit Real<&writev> real("writev");
  const Reached at("writev", fd);
  if (at.is_by_library() && fd == STDERR_FILENO) {
    for (int i = 0; i < count; ++i) {
      faults::note_warning({static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len});
    }
    return 0;
  }
  return at.make([&] {
    if (at.fault().how != How::shorter) return real(fd, vectors, count);
    iovec first = vectors[0];
    first.iov_len = at.size(first.iov_len);
    return real(fd, static_cast<const iovec*>(&first), 1);
  });
}
}
