// The C library's calls that a loop is made of, memory and threads among them, by way of the
// injector.

#include "injector.hpp"

#include <csignal>
#include <cstdarg>
#include <ctime>

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

using faults::Key, faults::Reached, faults::Real;

extern "C" {

int epoll_create1(int flags) noexcept {
  static constinit Real<&epoll_create1> real("epoll_create1");
  return Reached("epoll_create1").make([&] { return real(flags); });
}

int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  static constinit Real<&epoll_ctl> real("epoll_ctl");
  const Reached at(what == EPOLL_CTL_ADD   ? Key("epoll_ctl (add)")
                   : what == EPOLL_CTL_MOD ? Key("epoll_ctl (change)")
                                           : Key("epoll_ctl (remove)"));
  return at.make([&] {
    const int result = real(epoll, what, fd, event);
    if (result != 0) return result;
    if (what == EPOLL_CTL_DEL) {
      faults::note_registered(fd, -1, 0, 0);
    } else if ((event->events & EPOLLET) != 0) {  // the library's
      faults::note_registered(fd, epoll, event->events, event->data.u64);
    }
    return result;
  });
}

int epoll_wait(int epoll, epoll_event* events, int size, int timeout) {
  static constinit Real<&epoll_wait> real("epoll_wait");
  return Reached("epoll_wait").make([&] { return real(epoll, events, size, timeout); });
}

int eventfd(unsigned count, int flags) noexcept {
  static constinit Real<&eventfd> real("eventfd");
  return Reached("eventfd").make([&] {
    const int fd = real(count, flags);
    faults::note_kind(fd, faults::Kind::eventfd);
    return fd;
  });
}

int madvise(void* address, std::size_t size, int advice) noexcept {
  static constinit Real<&madvise> real("madvise");
  constexpr int guard_install = 102;
  return Reached(advice == guard_install ? Key("madvise (guard)") : Key("madvise")).make([&] {
    return real(address, size, advice);
  });
}

int memfd_create(const char* name, unsigned flags) noexcept {
  static constinit Real<&memfd_create> real("memfd_create");
  return Reached("memfd_create").make([&] {
    const int fd = real(name, flags);
    faults::note_kind(fd, faults::Kind::memory);
    return fd;
  });
}

int mincore(void* address, std::size_t size, unsigned char* pages) noexcept {
  static constinit Real<&mincore> real("mincore");
  return Reached("mincore").make([&] { return real(address, size, pages); });
}

void* mmap(void* address, std::size_t size, int access, int flags, int fd, off_t offset) noexcept {
  static constinit Real<&mmap> real("mmap64");
  return Reached("mmap").make([&] { return real(address, size, access, flags, fd, offset); },
                              MAP_FAILED);
}

int mprotect(void* address, std::size_t size, int access) noexcept {
  static constinit Real<&mprotect> real("mprotect");
  return Reached("mprotect").make([&] { return real(address, size, access); });
}

int munmap(void* address, std::size_t size) noexcept {
  static constinit Real<&munmap> real("munmap");
  return Reached("munmap").make([&] { return real(address, size); });
}

int nanosleep(const timespec* time, timespec* left) {
  static constinit Real<&nanosleep> real("nanosleep");
  return Reached("nanosleep").make([&] { return real(time, left); });
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  static constinit Real<&pthread_create> real("pthread_create");
  return Reached("pthread_create").made([&] { return real(thread, attributes, start, argument); });
}

int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
  static constinit Real<&pthread_getattr_np> real("pthread_getattr_np");
  return Reached("pthread_getattr_np").made([&] { return real(thread, attributes); });
}

int pthread_sigqueue(pthread_t thread, int signal, const sigval value) noexcept {
  static constinit Real<&pthread_sigqueue> real("pthread_sigqueue");
  return Reached("pthread_sigqueue").made([&] { return real(thread, signal, value); });
}

int sched_getaffinity(pid_t process, std::size_t size, cpu_set_t* set) noexcept {
  static constinit Real<&sched_getaffinity> real("sched_getaffinity");
  return Reached("sched_getaffinity").make([&] { return real(process, size, set); });
}

int sched_setaffinity(pid_t process, std::size_t size, const cpu_set_t* set) noexcept {
  static constinit Real<&sched_setaffinity> real("sched_setaffinity");
  return Reached("sched_setaffinity").make([&] { return real(process, size, set); });
}

int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
  static constinit Real<&sigaction> real("sigaction");
  return Reached("sigaction").make([&] { return real(signal, action, before); });
}

int sigaltstack(const stack_t* stack, stack_t* before) noexcept {
  static constinit Real<&sigaltstack> real("sigaltstack");
  return Reached("sigaltstack").make([&] { return real(stack, before); });
}

int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* time) {
  static constinit Real<&sigtimedwait> real("sigtimedwait");
  return Reached("sigtimedwait").make([&] { return real(set, info, time); });
}

long syscall(long number, ...) noexcept {
  static constinit Real<&syscall> real("syscall");
  std::va_list arguments;
  va_start(arguments, number);
  long all[6];
  for (long& one : all) one = va_arg(arguments, long);
  va_end(arguments);
  const auto make = [&] { return real(number, all[0], all[1], all[2], all[3], all[4], all[5]); };
  const int fd = static_cast<int>(all[0]);
  const auto make_shorter = [&](const Reached& at) {
    return at.make([&] {
      const auto size = static_cast<long>(at.size(static_cast<std::size_t>(all[2])));
      return real(number, all[0], all[1], size, all[3], all[4], all[5]);
    });
  };
  switch (number) {
    case SYS_epoll_pwait2:
      return Reached(fd < 0 ? Key("epoll_pwait2 (probe)") : Key("epoll_pwait2")).make(make);
    case SYS_pidfd_open:
      return Reached("pidfd_open").make(make);
    case SYS_read:
      return make_shorter(Reached("read", fd));
    case SYS_recvfrom:
      return make_shorter(Reached("recv", fd));
    case SYS_sendto:
      return make_shorter(
          Reached(faults::keeps_bounds(fd) ? Key("send (packets)") : Key("send"), fd));
    case SYS_write:
      return Reached("write (eventfd)").make(make);
    default:  // gettid, and the signal of which a program dies
      return make();
  }
}
}
