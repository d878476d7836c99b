// jumpcut/process.hpp: programs that run beside this one.

#include <jumpcut/jumpcut.hpp>

#include "child.hpp"
#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::await, jumpcut::create_subprocess_exec, jumpcut::create_subprocess_shell;
using jumpcut::create_task, jumpcut::Process, jumpcut::ProcessOptions, jumpcut::run;
using jumpcut::Stdio, jumpcut::ValueError;
using namespace std::chrono_literals;

namespace {

constexpr ProcessOptions with_output() {
  ProcessOptions options;
  options.out = Stdio::pipe;
  return options;
}

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

TEST_CASE("a process's exit code is what it exited with, or minus the signal that ended it") {
  run([] {
    CHECK(create_subprocess_exec({"true"}).wait() == 0);
    Process seven = create_subprocess_shell("exit 7");
    CHECK(!seven.returncode().has_value());
    CHECK(seven.wait() == 7);
    CHECK(seven.returncode() == 7);
    CHECK(seven.wait() == 7);
    Process cat = create_subprocess_exec({"cat"}, {.in = Stdio::pipe});
    CHECK(cat.pid() > 1);
    cat.terminate();
    CHECK(cat.wait() == -SIGTERM);
    cat.kill();  // nothing, and nobody else is hit
    Process killed = create_subprocess_exec({"cat"}, {.in = Stdio::pipe});
    killed.kill();
    CHECK(killed.wait() == -SIGKILL);
    Process told = create_subprocess_shell("trap 'exit 3' USR1; echo ready; read line",
                                           {.in = Stdio::pipe, .out = Stdio::pipe});
    CHECK(told.out().read_line() == "ready\n");
    told.send_signal(SIGUSR1);
    CHECK(told.wait() == 3);
  });
  CHECK(!has_children());
}

TEST_CASE("communicate sends the input and returns what came by both outputs") {
  run([] {
    Process process = create_subprocess_shell(
        "cat; echo loud 1>&2", {.in = Stdio::pipe, .out = Stdio::pipe, .err = Stdio::pipe});
    const std::string much = pattern(1'000'000);  // more than all pipes hold
    const auto [out, err] = process.communicate(much);
    CHECK(out == much);
    CHECK(err == "loud\n");
    CHECK(process.returncode() == 0);
    // Who does not read all of its input.
    Process head =
        create_subprocess_exec({"head", "-c", "3"}, {.in = Stdio::pipe, .out = Stdio::pipe});
    CHECK(head.communicate(much).first == much.substr(0, 3));
    Process deaf = create_subprocess_exec({"true"}, {.in = Stdio::pipe});
    deaf.communicate(much);
    CHECK(deaf.returncode() == 0);
  });
}

TEST_CASE("standard output, error and input go where they are told") {
  run([] {
    Process both = create_subprocess_shell("echo out; echo err 1>&2",
                                           {.out = Stdio::pipe, .err = Stdio::to_stdout});
    CHECK(both.communicate().first == "out\nerr\n");
    Process none = create_subprocess_exec({"cat"}, {.in = Stdio::null, .out = Stdio::pipe});
    CHECK(none.communicate().first.empty());
    Process quiet = create_subprocess_shell("echo out", {.out = Stdio::null});
    CHECK(quiet.wait() == 0);
    CHECK_THROWS_WITH(quiet.out(), Contains("no pipe") && Contains("Stdio::pipe"));
    CHECK_THROWS_AS(quiet.communicate("x"), ValueError);
    // Line by line, both ways.
    Process upper =
        create_subprocess_exec({"sed", "-u", "s/a/A/"}, {.in = Stdio::pipe, .out = Stdio::pipe});
    for (int i = 0; i < 3; ++i) {
      upper.in().write("a b\n");
      CHECK(upper.out().read_line() == "A b\n");
    }
    upper.in().write_eof();
    CHECK(upper.out().read().empty());
    CHECK(upper.wait() == 0);
  });
}

TEST_CASE("a process has its directory, its environment, its session, and none of our files") {
  const int ours = open("/dev/null", O_RDONLY);  // not closed by exec
  run([&] {
    ProcessOptions options = with_output();
    options.directory = "/";
    options.environment = std::vector<std::string>{"COLOUR=red", "PATH=/usr/bin:/bin"};
    options.new_session = true;
    Process process = create_subprocess_shell(
        "pwd; echo $COLOUR $HOME; ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat; "
        "ls /proc/$$/fd | wc -l",
        options);
    const int pid = process.pid();
    const std::string text = process.communicate().first;
    CHECK_THAT(text, Catch::StartsWith("/\nred\n"));
    CHECK_THAT(text, Contains(std::to_string(pid)));
    // The shell itself may keep one above the three.
    CHECK(std::stoi(text.substr(text.rfind('\n', text.size() - 2) + 1)) <= 4);
  });
  close(ours);
}

TEST_CASE("wait does not wait for who holds the pipes, and can be cancelled") {
  run([] {
    // The grandchild holds both pipes until its input ends.
    Process parent = create_subprocess_shell("exec 4<&0; cat <&4 & exit 5",
                                             {.in = Stdio::pipe, .out = Stdio::pipe});
    CHECK(parent.wait() == 5);
    parent.in().write("still here\n");
    CHECK(parent.out().read_line() == "still here\n");
    parent.in().close();
    CHECK(parent.out().read().empty());
    Process cat = create_subprocess_exec({"cat"}, {.in = Stdio::pipe});
    const auto waiting = create_task([&] { return cat.wait(); });
    jumpcut::sleep(0s);
    waiting.cancel();
    CHECK_THROWS_AS(await(waiting), jumpcut::Cancelled);
    CHECK(!cat.returncode().has_value());
    cat.in().close();
    CHECK(cat.wait() == 0);
  });
}

TEST_CASE("a process that is dropped, or left when the loop ends, is killed, and no zombie stays") {
  run([] {
    { const Process dropped = create_subprocess_exec({"cat"}, {.in = Stdio::pipe}); }
    Process next = create_subprocess_exec({"true"});
    next.wait();
  });
  CHECK(!has_children());
  Process left;
  run([&] { left = create_subprocess_exec({"sleep", "1000"}); });
  CHECK(!has_children());
  CHECK(left.returncode() == -SIGKILL);
}

TEST_CASE("what can't be started is named") {
  if (EMULATED) return;  // its vfork is a fork, so nobody hears that exec failed
  run([] {
    std::string text;
    CHECK(error_of([] { create_subprocess_exec({"no-such-program"}); }, &text) == ENOENT);
    CHECK_THAT(text, Contains("no-such-program"));
    ProcessOptions nowhere;
    nowhere.directory = "/no/such/place";
    CHECK(error_of([&] { create_subprocess_exec({"true"}, nowhere); }, &text) == ENOENT);
    CHECK_THAT(text, Contains("/no/such/place"));
    CHECK_THROWS_AS(create_subprocess_exec({}), ValueError);
    CHECK_THROWS_AS(create_subprocess_exec({std::string("a\0b", 3)}), ValueError);
    CHECK_THROWS_AS(create_subprocess_exec({"true"}, {.out = Stdio::to_stdout}), ValueError);
    CHECK_THROWS_AS(Process().wait(), jumpcut::RuntimeError);
  });
  CHECK(!has_children());
  CHECK_THROWS_AS(create_subprocess_exec({"true"}), jumpcut::RuntimeError);
}

TEST_CASE("where the program ignores SIGCHLD, a process's exit code is said to be unknown") {
  const Ended ended = in_child([] {
    std::signal(SIGCHLD, SIG_IGN);
    const int code = run([] { return create_subprocess_shell("exit 3").wait(); });
    expect(code == 255, "as the shell would have it");
  });
  CHECK_THAT(ended.output, Contains("its exit status is unknown"));
  CHECK(ended.exit_code == 0);
}

TEST_CASE("fifty processes at once end each with its own code") {
  run([] {
    std::vector<jumpcut::Task<int>> tasks;
    for (int i = 0; i < 50; ++i) {
      tasks.push_back(
          create_task([i] { return create_subprocess_shell("exit " + std::to_string(i)).wait(); }));
    }
    const std::vector<int> codes = jumpcut::gather(tasks);
    for (std::size_t i = 0; i < codes.size(); ++i) CHECK(codes[i] == static_cast<int>(i));
  });
  CHECK(!has_children());
}
