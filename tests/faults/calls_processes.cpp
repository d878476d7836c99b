// The C library's calls for processes and names, by way of the injector.

#include "injector.hpp"

#include <csignal>
#include <string_view>

#include <net/if.h>
#include <netdb.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using faults::How, faults::Reached, faults::Real;

extern "C" {

pid_t fork() noexcept {
  static constinit Real<&fork> real("fork");
  return Reached("fork").make([&] { return real(); });
}

int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  static constinit Real<&getaddrinfo> real("getaddrinfo");
  const Reached at("getaddrinfo");
  if (at.fault().error == EAI_SYSTEM) errno = EMFILE;
  return at.made([&] {
    if (host == nullptr || std::string_view(host) != faults::host_of_two_families) {
      return real(host, service, hints, found);
    }
    const int result = real("::1", service, hints, found);
    if (result != 0) return result;
    return real("127.0.0.1", service, hints, &(*found)->ai_next);
  });
}

int getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                char* service, socklen_t service_size, int flags) {
  static constinit Real<&getnameinfo> real("getnameinfo");
  const Reached at("getnameinfo");
  if (at.fault().error == EAI_SYSTEM) errno = EMFILE;
  return at.made(
      [&] { return real(address, size, host, host_size, service, service_size, flags); });
}

char* if_indextoname(unsigned index, char* name) noexcept {
  static constinit Real<&if_indextoname> real("if_indextoname");
  return Reached("if_indextoname").make([&] { return real(index, name); }, nullptr);
}

unsigned if_nametoindex(const char* name) noexcept {
  static constinit Real<&if_nametoindex> real("if_nametoindex");
  return Reached("if_nametoindex").make([&] { return real(name); }, 0u);
}

int kill(pid_t process, int signal) noexcept {
  static constinit Real<&kill> real("kill");
  return Reached("kill").make([&] { return real(process, signal); });
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t* actions,
                                         const char* path) noexcept {
  static constinit Real<&posix_spawn_file_actions_addchdir_np> real(
      "posix_spawn_file_actions_addchdir_np");
  return Reached("posix_spawn_file_actions_addchdir_np").made([&] { return real(actions, path); });
}

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t* actions,
                                             int from) noexcept {
  static constinit Real<&posix_spawn_file_actions_addclosefrom_np> real(
      "posix_spawn_file_actions_addclosefrom_np");
  return Reached("posix_spawn_file_actions_addclosefrom_np").made([&] {
    return real(actions, from);
  });
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t* actions, int from,
                                     int to) noexcept {
  static constinit Real<&posix_spawn_file_actions_adddup2> real("posix_spawn_file_actions_adddup2");
  return Reached("posix_spawn_file_actions_adddup2").made([&] { return real(actions, from, to); });
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t* actions, int fd, const char* path,
                                     int flags, mode_t mode) noexcept {
  static constinit Real<&posix_spawn_file_actions_addopen> real("posix_spawn_file_actions_addopen");
  return Reached("posix_spawn_file_actions_addopen").made([&] {
    return real(actions, fd, path, flags, mode);
  });
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t* actions) noexcept {
  static constinit Real<&posix_spawn_file_actions_init> real("posix_spawn_file_actions_init");
  return Reached("posix_spawn_file_actions_init").made([&] { return real(actions); });
}

int posix_spawnattr_init(posix_spawnattr_t* attributes) noexcept {
  static constinit Real<&posix_spawnattr_init> real("posix_spawnattr_init");
  return Reached("posix_spawnattr_init").made([&] { return real(attributes); });
}

int posix_spawnp(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* arguments,
                 char* const* environment) {
  static constinit Real<&posix_spawnp> real("posix_spawnp");
  return Reached("posix_spawnp").made([&] {
    return real(process, file, actions, attributes, arguments, environment);
  });
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  static constinit Real<&waitid> real("waitid");
  const Reached at("waitid");
  // Somebody else may have reaped what has ended, but nobody what runs.
  if (at.fault().how == How::after) {
    const int result = real(type, id, info, options);
    if (result != 0 || info->si_pid == 0) return result;
    errno = at.fault().error;
    return -1;
  }
  return at.make([&] { return real(type, id, info, options); });
}
}
