// The injector knows all that the library asks of the system, and only the library's calls fail.

#include "injector.hpp"

#include <jumpcut/jumpcut.hpp>

#include <cerrno>
#include <set>
#include <sstream>
#include <string>

#include <unistd.h>

#include <catch2/catch.hpp>

#include "../sockets.hpp"

TEST_CASE("every system call that the library makes can be made to fail") {
  // What is no system call, or can't fail with what it is given, or is called in a forked child.
  const std::set<std::string> others{"abort",
                                     "bcmp",
                                     "close_range",
                                     "dirfd",
                                     "dup2",
                                     "dup3",
                                     "fflush",
                                     "getppid",
                                     "lseek64",
                                     "prctl",
                                     "stderr",
                                     "stdout",
                                     "strtol",
                                     "closedir",
                                     "dl_iterate_phdr",
                                     "dladdr",
                                     "environ",
                                     "fputs",
                                     "free",
                                     "freeaddrinfo",
                                     "gai_strerror",
                                     "getauxval",
                                     "getenv",
                                     "getpid",
                                     "getrlimit64",
                                     "gettid",
                                     "inet_ntop",
                                     "inet_pton",
                                     "malloc",
                                     "memchr",
                                     "memcmp",
                                     "memcpy",
                                     "memmove",
                                     "memset",
                                     "mi_free",
                                     "mi_heap_delete",
                                     "mi_heap_destroy",
                                     "mi_heap_malloc",
                                     "mi_heap_new",
                                     "posix_spawn_file_actions_destroy",
                                     "posix_spawnattr_destroy",
                                     "posix_spawnattr_setflags",
                                     "posix_spawnattr_setsigdefault",
                                     "pthread_attr_destroy",
                                     "pthread_attr_getstack",
                                     "pthread_attr_init",
                                     "pthread_attr_setdetachstate",
                                     "pthread_attr_setstacksize",
                                     "pthread_cond_clockwait",
                                     "pthread_mutex_lock",
                                     "pthread_mutex_unlock",
                                     "pthread_once",
                                     "pthread_self",
                                     "pthread_setname_np",
                                     "pthread_sigmask",
                                     "raise",
                                     "readdir64",
                                     "sched_yield",
                                     "sigabbrev_np",
                                     "signal",
                                     "sigaddset",
                                     "sigemptyset",
                                     "sigfillset",
                                     "sigismember",
                                     "sigpending",
                                     "snprintf",
                                     "strcmp",
                                     "strerror",
                                     "strlen",
                                     "strnlen",
                                     "strtoull",
                                     "syscall",
                                     "sysconf",
                                     "vsnprintf"};
  std::set<std::string> known;
  for (const faults::Call& call : faults::calls) {
    known.emplace(call.name.substr(0, call.name.find(' ')));
  }
  std::istringstream all(faults::imports("\n"));
  int count = 0;
  for (std::string name; std::getline(all, name); ++count) {
    if (name.starts_with('_')) continue;  // the compiler's, C++'s
    if (known.count(name) != 0 || others.count(name) != 0) continue;
    if (name.ends_with("64") && known.count(name.substr(0, name.size() - 2)) != 0) continue;
    FAIL_CHECK("the library calls " << name << ", which tests/faults/table.hpp doesn't know");
  }
  CHECK(count > 100);
}

TEST_CASE("a fault hits the call that is meant, and nobody else's") {
  jumpcut::run([] {
    auto [a, b] = jumpcut::Socket::pair();
    faults::fail_one(faults::Key("recv"), 1, ECONNRESET);
    a.send("xyz");
    char byte = 0;
    CHECK(recv(b.fd(), &byte, 1, 0) == 1);
    CHECK(b.recv(1) == "y");
    CHECK(recv(b.fd(), &byte, 0, 0) == 0);
    CHECK(error_of([&, &b = b] { b.recv(1); }) == ECONNRESET);
    CHECK(b.recv(1) == "z");
    CHECK(faults::stop() == 1);
  });
}

TEST_CASE("what reads or writes a part has the rest later") {
  jumpcut::run([] {
    auto [a, b] = jumpcut::Socket::pair();
    jumpcut::Stream stream(std::move(b));
    auto reader = jumpcut::create_task([&] { return stream.read_exactly(6); });
    jumpcut::sleep(std::chrono::seconds(0));  // it waits
    faults::fail_one(faults::Key("read"), 0, faults::one_byte, faults::for_ever);
    a.sendall("sixsix");
    CHECK(await(reader) == "sixsix");
    CHECK(faults::stop() >= 6);
  });
}
