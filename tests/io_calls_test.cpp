// How many system calls a request costs: as many as one would make by hand. The calls are counted
// on their way to the C library.

#include <jumpcut/jumpcut.hpp>

#include <cstdarg>
#include <cstddef>
#include <string>

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using jumpcut::create_task, jumpcut::open_connection, jumpcut::Server, jumpcut::start_server;
using jumpcut::Stream;

namespace {

struct Calls {
  int read = 0;
  int send = 0;
  int epoll_ctl = 0;
};
Calls calls;

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
ssize_t read(int fd, void* buffer, std::size_t size) {
  static auto* const real = original<ssize_t(int, void*, std::size_t)>("read");
  ++calls.read;
  return real(fd, buffer, size);
}
ssize_t send(int fd, const void* data, std::size_t size, int flags) {
  static auto* const real = original<ssize_t(int, const void*, std::size_t, int)>("send");
  ++calls.send;
  return real(fd, data, size, flags);
}
/// By which the same are called, but for sanitizers.
long syscall(long number, ...) noexcept {
  static auto* const real = original<long(long, ...)>("syscall");
  std::va_list arguments;
  va_start(arguments, number);
  long all[6];
  for (long& one : all) one = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_read) ++calls.read;
  if (number == SYS_sendto) ++calls.send;
  return real(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}
int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  static auto* const real = original<int(int, int, int, epoll_event*)>("epoll_ctl");
  ++calls.epoll_ctl;
  return real(epoll, what, fd, event);
}
}

TEST_CASE("a request of an echo server costs each side one read and one send") {
  constexpr int requests = 500;
  jumpcut::run([] {
    Server server = start_server(
        [](Stream& stream) {
          for (const std::string& line : stream) stream.write(line);
        },
        "127.0.0.1", 0);
    Stream stream = open_connection("127.0.0.1", server.addresses().front().port());
    const auto exchange = [&] {
      stream.write("hello\n");
      CHECK(stream.read_line() == "hello\n");
    };
    for (int i = 0; i < 3; ++i) exchange();
    calls = {};
    for (int i = 0; i < requests; ++i) exchange();
    CHECK(calls.read == 2 * requests);
    CHECK(calls.send == 2 * requests);
    CHECK(calls.epoll_ctl == 0);
    stream.close();
    server.close();
    server.wait_closed();
  });
}

TEST_CASE("what came together with the end is followed by it") {
  // The end is not told of again once it was, so who read less than there was room for must ask.
  jumpcut::run([] {
    for (const bool late : {false, true}) {
      for (const bool pipe : {false, true}) {
        jumpcut::PipeEnds ends = jumpcut::make_pipe();
        auto [mine, theirs] = jumpcut::Socket::pair();
        Stream stream = pipe ? Stream(std::move(ends.reader)) : Stream(std::move(mine));
        jumpcut::Descriptor& writer = pipe ? ends.writer : theirs;
        writer.write_all("a");
        CHECK(stream.read(10) == "a");
        const auto reading = create_task([&] { return stream.read(10); });
        jumpcut::sleep(std::chrono::seconds(0));  // from now on it is watched
        writer.write_all("b");
        if (!late) writer.close();
        CHECK(await(reading) == "b");
        if (late) writer.close();
        CHECK(stream.read(10).empty());
      }
    }
  });
}
