// Two descriptors to watch.

#pragma once

#include <array>
#include <cstddef>

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

/// Two ends that talk to each other.
struct Pair {
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (int end : ends) {
      if (end >= 0) close(end);
    }
  }
  void send() const { REQUIRE(write(ends[1], "x", 1) == 1); }
  void receive() const {
    char byte = 0;
    REQUIRE(read(ends[0], &byte, 1) == 1);
  }
  void close_end(std::size_t which) {
    close(ends[which]);
    ends[which] = -1;
  }

  std::array<int, 2> ends{-1, -1};
};
