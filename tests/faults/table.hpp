// The system calls that the library makes, and how each may fail.

#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <string_view>

#include <netdb.h>

namespace faults {

enum class How : unsigned char {
  not_at_all,
  instead,  ///< the call is not made
  after,    ///< it is made, and all the same it says so
  shorter,  ///< a byte is read or written, and the rest later
};

struct Fault {
  constexpr Fault() = default;
  constexpr Fault(int number, How manner = How::instead)  // NOLINT(*-explicit-*): read as a list
      : error(number), how(manner) {}

  int error = 0;
  How how = How::not_at_all;
};

constexpr Fault one_byte{0, How::shorter};
constexpr Fault all_the_same(int error) {
  return {error, How::after};
}

struct Call {
  std::string_view name;
  /// What an error's text says of it, one of these at least; "" if it must do without an error.
  std::string_view said;
  std::array<Fault, 14> faults;
};

// What a call may say only of arguments that the library does not pass is left out: EFAULT, EINVAL.
// EAGAIN, where a descriptor is meant, comes with word that it is ready by now.
inline constexpr Call calls[] = {
    // Sockets.
    {"accept4",
     "accept",
     {EINTR, EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EMFILE, ENFILE, ENOBUFS, ENOMEM,
      EPERM}},
    {"bind", "bind", {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM}},
    {"connect",
     "connect",
     {all_the_same(EINTR), all_the_same(EINPROGRESS), ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,
      ETIMEDOUT, EADDRNOTAVAIL, EAGAIN, EPERM, EACCES, ENOBUFS}},
    {"connect (unix)",
     "connect",
     {EAGAIN, all_the_same(EINTR), ECONNREFUSED, ENOENT, EACCES, EPERM}},
    {"getpeername", "getpeername|connect", {ENOTCONN, ENOBUFS}},
    {"getsockname", "getsockname", {ENOBUFS}},
    {"getsockopt", "getsockopt|connect", {ENOBUFS, ENOMEM}},
    {"listen", "listen", {EADDRINUSE}},
    {"recv", "recv", {one_byte, EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM}},
    {"recvfrom", "recvfrom", {EINTR, EAGAIN, ECONNREFUSED, ENOMEM}},
    {"send", "send|write", {one_byte, EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM}},
    {"send (packets)", "send|write", {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM}},
    {"sendfile",
     "sendfile",
     {one_byte, EINTR, EAGAIN, ECONNRESET, EPIPE, EIO, ENOMEM, EOVERFLOW, EINVAL, ENOSYS}},
    {"sendmsg",
     "write|send",
     {one_byte, EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EHOSTUNREACH}},
    {"sendto",
     "sendto",
     {EINTR, EAGAIN, ENOBUFS, ENOMEM, ENETUNREACH, EACCES, EPERM, ECONNREFUSED}},
    {"setsockopt", "setsockopt", {ENOMEM, ENOPROTOOPT, EPERM}},
    {"shutdown", "shutdown", {ENOTCONN}},
    {"socket", "socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT}},
    {"socketpair", "socketpair", {EMFILE, ENFILE, ENOMEM, EACCES}},
    // Descriptors and files.
    {"close", "", {all_the_same(EINTR), all_the_same(EIO), all_the_same(ENOSPC)}},
    {"faccessat", "", {EACCES, ENOENT}},
    {"fcntl", "fcntl", {EPERM, ENOLCK}},
    {"fcntl (a copy)", "fcntl", {EMFILE}},
    {"fdatasync", "sync of file", {EINTR, EIO, ENOSPC, EDQUOT}},
    {"fstat", "stat of file|fstat", {EIO, ENOMEM, EOVERFLOW}},
    {"ftruncate", "resize of file", {EINTR, EIO, EFBIG, EPERM}},
    {"open", "open of file", {EINTR, EMFILE, ENFILE, ENOMEM, EACCES, ENOENT, ENOSPC, EROFS, EIO}},
    {"opendir", "", {EMFILE, ENFILE, ENOMEM, EACCES}},
    {"pipe2", "pipe2", {EMFILE, ENFILE, ENOMEM}},
    {"poll", "wait_", {EINTR, ENOMEM}},
    {"pread", "read of file|sendfile", {one_byte, EINTR, EIO, ENOMEM}},
    {"pwrite",
     "write of file|a worker process exited with 1",
     {one_byte, EINTR, EIO, ENOSPC, EDQUOT, EFBIG}},
    {"read", "read", {one_byte, EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, EIO, ENOMEM}},
    {"read (eventfd)", "", {EINTR, EAGAIN}},
    {"readlink", "", {EACCES, ENOENT}},
    {"readv", "readv", {one_byte, EINTR, EAGAIN, ECONNRESET, EIO}},
    {"stat", "", {EACCES, ENOENT, EIO, ENOMEM}},
    {"unlink", "", {EACCES, EPERM, EROFS, ENOENT}},
    {"write", "", {EAGAIN, EIO}},
    {"write (eventfd)", "", {EINTR, all_the_same(EAGAIN)}},
    {"write (memory)",
     "write of a result|a worker process exited with 1",
     {one_byte, EINTR, ENOSPC, ENOMEM}},
    {"writev", "write", {one_byte, EINTR, EAGAIN, EPIPE, EIO, ENOSPC}},
    // The loop.
    {"epoll_create1", "epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl (add)", "epoll_ctl", {ENOMEM, ENOSPC}},
    {"epoll_ctl (change)", "epoll_ctl", {ENOENT, ENOMEM}},
    {"epoll_ctl (remove)", "", {all_the_same(ENOENT), all_the_same(EBADF)}},
    {"epoll_pwait2", "epoll_wait", {EINTR, EBADF, ENOMEM}},
    {"epoll_pwait2 (probe)", "", {ENOSYS, EPERM}},
    {"epoll_wait", "epoll_wait", {EINTR, EBADF, ENOMEM}},
    {"eventfd", "eventfd", {EMFILE, ENFILE, ENOMEM, ENODEV}},
    {"nanosleep", "", {EINTR}},
    {"pthread_create", "no thread can be started|no watchdog", {EAGAIN, EPERM}},
    {"pthread_getattr_np", "", {ENOMEM}},
    {"pthread_sigqueue", "", {ESRCH, EAGAIN}},
    {"sched_getaffinity", "", {EINVAL, EPERM}},
    {"sched_setaffinity", "pinning", {EINVAL, EPERM}},
    {"sigaction", "signal|sigaction", {EINVAL}},
    {"sigaltstack", "signal stack", {ENOMEM, EPERM}},
    {"sigtimedwait", "", {EINTR}},
    // Memory: stacks and their guards.
    {"madvise", "", {EINVAL, EAGAIN, ENOMEM}},
    {"madvise (guard)", "stack", {EINVAL, ENOMEM}},
    {"memfd_create", "memfd_create", {EMFILE, ENFILE, ENOMEM}},
    {"mincore", "", {EAGAIN, ENOMEM}},
    {"mmap", "stack|result", {ENOMEM, EAGAIN}},
    {"mprotect", "stack", {ENOMEM}},
    {"munmap", "", {all_the_same(ENOMEM)}},
    // Processes and names.
    {"fork", "fork", {EAGAIN, ENOMEM}},
    {"getaddrinfo", "getaddrinfo", {EAI_AGAIN, EAI_FAIL, EAI_NONAME, EAI_MEMORY, EAI_SYSTEM}},
    {"getnameinfo", "getnameinfo", {EAI_AGAIN, EAI_FAIL, EAI_NONAME, EAI_MEMORY, EAI_SYSTEM}},
    {"if_indextoname", "", {ENXIO, EMFILE}},
    {"if_nametoindex", "interface|address", {ENODEV, EMFILE}},
    {"kill", "signal|kill|SIGKILL", {EPERM}},
    {"pidfd_open", "pidfd_open", {EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM}},
    {"posix_spawn_file_actions_addchdir_np", "chdir", {ENOMEM}},
    {"posix_spawn_file_actions_addclosefrom_np", "closefrom", {ENOMEM}},
    {"posix_spawn_file_actions_adddup2", "dup2", {ENOMEM}},
    {"posix_spawn_file_actions_addopen", "/dev/null", {ENOMEM}},
    {"posix_spawn_file_actions_init", "init", {ENOMEM}},
    {"posix_spawnattr_init", "init", {ENOMEM}},
    {"posix_spawnp", "can't be started", {EAGAIN, ENOMEM, ENOENT, EACCES, E2BIG, ENOEXEC, EMFILE}},
    {"waitid", "exit status is unknown", {EINTR, all_the_same(ECHILD)}},
};

/// A row of the table.
class Key {
 public:
  consteval Key(const char* name) : index(find(name)) {}  // NOLINT(*-explicit-*)

  const std::size_t index;

 private:
  static consteval std::size_t find(std::string_view name) {
    std::size_t index = 0;
    while (calls[index].name != name) ++index;  // does not compile if it is not there
    return index;
  }
};

}  // namespace faults
