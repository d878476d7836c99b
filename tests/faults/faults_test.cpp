// The library when system calls fail: each call of each scenario, with each error that it may have.

#include <cstdint>
#include <cstdio>

#include <catch2/catch.hpp>

#include "scenario.hpp"
#include "scenarios.hpp"

namespace {

std::uint32_t total = 0;
std::uint32_t played_count = 0;

void check(const char* name, void (*body)()) {
  const faults::Played played = faults::play(name, body, ONE_FAULT_OF);
  std::printf("%s: %u faults\n", name, played.faults);
  total += played.faults;
  ++played_count;
  INFO(played.wrong);
  CHECK(played.wrong.empty());
}

}  // namespace

TEST_CASE("each fault while a loop is made and tasks run ends well") {
  check("tasks and timers", faults::tasks_and_timers);
}

TEST_CASE("each fault of a TCP connection ends well") {
  check("echo over TCP", faults::echo_over_tcp);
}

TEST_CASE("each fault of a Unix connection ends well") {
  check("echo over a Unix socket", faults::echo_over_unix_sockets);
}

TEST_CASE("each fault of datagrams ends well") {
  check("datagrams", faults::datagrams);
  check("packets", faults::unix_datagrams);
}

TEST_CASE("each fault of connections that are refused ends well") {
  check("refused connections", faults::refused_connections);
}

TEST_CASE("each fault of a connection to a name with several addresses ends well") {
  check("several addresses", faults::several_addresses);
}

TEST_CASE("each fault of pipes and buffers ends well") {
  check("buffers", faults::buffers);
}

TEST_CASE("each fault of sendfile ends well") {
  check("a file sent", faults::a_file_sent);
}

TEST_CASE("each fault of a server and its connections ends well") {
  check("a server", faults::a_server);
}

TEST_CASE("each fault of streams, their limits and their buffers ends well") {
  check("lines and limits", faults::lines_and_limits);
  check("much data", faults::much_data);
}

TEST_CASE("each fault of waiting for a descriptor of one's own ends well") {
  check("descriptors of others", faults::descriptors_of_others);
}

TEST_CASE("each fault of a process ends well") {
  check("a process", faults::a_process);
  check("a process with options", faults::a_process_with_options);
  check("a process that is dropped", faults::a_process_that_is_dropped);
}

TEST_CASE("each fault of files ends well") {
  check("files", faults::files);
}

TEST_CASE("each fault of signals ends well") {
  check("signals", faults::signals);
}

TEST_CASE("each fault of threads that post to a loop ends well") {
  check("threads that post", faults::threads_that_post);
}

TEST_CASE("each fault of looking up names ends well") {
  check("names", faults::names);
}

TEST_CASE("each fault of a pool of processes ends well") {
  check("a process pool", faults::a_process_pool);
}

TEST_CASE("each fault of a pool of loops, and of its servers, ends well") {
  check("a loop pool", faults::a_loop_pool);
  check("a pool server", faults::a_pool_server);
}

TEST_CASE("each fault of transports ends well") {
  check("transports", faults::transports);
  check("a transport that sends a file", faults::a_transport_sends_a_file);
  check("datagram transports", faults::datagram_transports);
  check("pipe transports", faults::pipe_transports);
}

TEST_CASE("there are more faults than 1,500") {
  std::printf("%u faults in all\n", total);
  if (played_count < 26 || ONE_FAULT_OF != 1) return;  // others were not asked for
  CHECK(total >= 1500);
}
