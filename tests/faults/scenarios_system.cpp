#include "scenarios.hpp"

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <csignal>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "injector.hpp"
#include "scenario.hpp"

namespace faults {

using jumpcut::create_task, jumpcut::Process, jumpcut::Stdio, jumpcut::TaskGroup;
using namespace std::chrono_literals;

namespace {

/// A pipe that the library knows nothing of.
struct OwnPipe {
  OwnPipe() { expect(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "there is a pipe"); }
  OwnPipe(const OwnPipe&) = delete;
  OwnPipe& operator=(const OwnPipe&) = delete;
  ~OwnPipe() { close(ends[0]), close(ends[1]); }

  std::array<int, 2> ends{-1, -1};
};

}  // namespace

void descriptors_of_others() {
  in_loop([] {
    const OwnPipe pipe;
    int called = 0;
    struct Unwatching {
      int fd;
      ~Unwatching() { jumpcut::get_running_loop().remove_reader(fd); }
    } const unwatching{pipe.ends[0]};
    jumpcut::task_group([&](TaskGroup& group) {
      group.create_task([&] {
        jumpcut::wait_readable(pipe.ends[0]);
        char byte = 0;
        expect(read(pipe.ends[0], &byte, 1) == 1, "there is a byte");
      });
      group.create_task([&] {
        jumpcut::sleep(0s);
        jumpcut::wait_writable(pipe.ends[1]);
        expect(write(pipe.ends[1], "x", 1) == 1, "there is room");
      });
    });
    jumpcut::get_running_loop().add_reader(pipe.ends[0], [&] { ++called; });
    expect(write(pipe.ends[1], "x", 1) == 1, "there is room");
    jumpcut::wait_readable(pipe.ends[0]);
    for (int i = 0; i < 4; ++i) jumpcut::sleep(0s);
    expect(called > 0, "the callback was called");
  });
}

void a_process() {
  in_loop([] {
    Process process = jumpcut::create_subprocess_exec(
        {"cat"}, {.in = Stdio::pipe, .out = Stdio::pipe, .err = Stdio::pipe});
    const auto [out, err] = process.communicate("what is sent");
    // What can't be sent is no error: it need not be read.
    expect((out == "what is sent" || out.empty()) && err.empty(), "what was sent comes back");
    expect(process.returncode() == 0 || process.returncode() == 255, "it has ended, or is unknown");
  });
}

void a_process_with_options() {
  in_loop([] {
    Process process = jumpcut::create_subprocess_shell(
        "pwd; echo error >&2; exit 3",
        {.in = Stdio::null, .out = Stdio::pipe, .err = Stdio::to_stdout, .directory = "/"});
    expect(process.out().read() == "/\nerror\n", "it is where it was told to be");
    const int code = process.wait();
    expect(code == 3 || code == 255, "its code is its own, or unknown");
  });
}

void a_process_that_is_dropped() {
  in_loop([] {
    Process stopped = jumpcut::create_subprocess_exec({"sleep", "100"}, {});
    stopped.terminate();
    const int code = stopped.wait();
    expect(code == -SIGTERM || code == 255, "it was ended by a signal");
    // Not for ever: it may be that it can't be killed.
    Process dropped = jumpcut::create_subprocess_exec({"sleep", "0.2"}, {});
  });
}

void files() {
  const std::string path = "/tmp/jumpcut-faults-file-" + std::to_string(getpid());
  struct Removing {
    const std::string& path;
    ~Removing() { unlink(path.c_str()); }
  } const removing{path};
  in_loop([&] {
    jumpcut::write_file(path, "what is written");
    expect(jumpcut::read_file(path) == "what is written", "what is read was written");
    const jumpcut::File file(path, jumpcut::FileMode::read_write);
    file.write_at(5, "WAS");
    expect(file.read_at(0, 8) == "what WAS", "what is read was written");
    file.resize(4);
    file.sync();
    expect(file.size() == 4, "its size is what was said");
  });
}

void signals() {
  in_loop([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    jumpcut::Event came;
    struct Removing {
      ~Removing() { jumpcut::get_running_loop().remove_signal_handler(SIGUSR1); }
    } const removing;
    loop.add_signal_handler(SIGUSR1, [&] { came.set(); });
    loop.call_soon([] { std::raise(SIGUSR1); });
    came.wait();
    expect(loop.remove_signal_handler(SIGUSR1), "there was one");
  });
}

void threads_that_post() {
  in_loop([] {
    jumpcut::Loop& loop = jumpcut::get_running_loop();
    jumpcut::Event posted;
    const auto poster = create_task(
        [&] { jumpcut::to_thread([&] { loop.call_soon_threadsafe([&] { posted.set(); }); }); });
    await(poster);
    posted.wait();
    const auto one = create_task([] { return jumpcut::to_thread([] { return 1; }); });
    const auto two = create_task([] { return jumpcut::to_thread([] { return 2; }); });
    expect(await(one) + await(two) == 3, "each thread's result comes");
  });
}

void names() {
  in_loop([] {
    expect(!jumpcut::getaddrinfo(host_of_two_families, 80).empty(), "it has an address");
    expect(!jumpcut::getnameinfo(jumpcut::Address::ip("127.0.0.1", 80)).first.empty(),
           "it has a name, or a number");
    const std::string scoped = jumpcut::Address::ip("fe80::1%lo", 80).to_string();
    expect(scoped.find("fe80::1%") != std::string::npos, "its scope is in its text");
  });
}

}  // namespace faults
