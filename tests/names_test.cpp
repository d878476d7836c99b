// jumpcut/names.hpp, and open_connection to a host with several addresses.

#include <jumpcut/jumpcut.hpp>

#include "sockets.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <netdb.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::Address, jumpcut::AddressFamily, jumpcut::getaddrinfo, jumpcut::getnameinfo;
using jumpcut::LookupError, jumpcut::run, jumpcut::Stream;

namespace {

/// A minimal system may not know its own name.
std::vector<Address> local_addresses(std::uint16_t port) {
  try {
    return getaddrinfo("localhost", port);
  } catch (const LookupError&) {
    return {};
  }
}

}  // namespace

TEST_CASE("a numeric host is its own address, and never leaves the loop") {
  run([] {
    const auto ticks = jumpcut::get_running_loop().stats().ticks;
    CHECK(getaddrinfo("127.0.0.1", 80) == std::vector{Address::ip("127.0.0.1", 80)});
    CHECK(getaddrinfo("::1", 0, AddressFamily::ipv6) == std::vector{Address::ip("::1", 0)});
    CHECK(jumpcut::get_running_loop().stats().ticks == ticks);
    CHECK_THROWS_AS(getaddrinfo("::1", 0, AddressFamily::ipv4), LookupError);
  });
}

TEST_CASE("a host's addresses come each once, of the family that was asked for") {
  run([] {
    std::vector<Address> all = local_addresses(7);
    for (const Address& one : all) {
      CHECK(one.port() == 7);
      CHECK(std::count(all.begin(), all.end(), one) == 1);
    }
    if (!all.empty()) {
      for (const Address& one : getaddrinfo("localhost", 7, AddressFamily::ipv4)) {
        CHECK(one.family() == AddressFamily::ipv4);
      }
    }
    CHECK(!getaddrinfo("", 7).empty());
  });
}

TEST_CASE("names that can't be looked up are named") {
  run([] {
    try {
      getaddrinfo("no-such-host.invalid", 80);
      CHECK(false);
    } catch (const LookupError& error) {
      CHECK(error.code() != 0);
      CHECK_THAT(error.what(), Contains("no-such-host.invalid"));
    }
    CHECK_THROWS_AS(getaddrinfo(std::string("a\0b", 3), 80), jumpcut::ValueError);
    CHECK_THROWS_AS(getaddrinfo("x", 80, AddressFamily::local), jumpcut::ValueError);
    CHECK_THROWS_AS(jumpcut::open_connection("no-such-host.invalid", 80), LookupError);
    CHECK_THROWS_AS(getnameinfo(Address()), LookupError);
  });
  CHECK_THROWS_AS(getaddrinfo("127.0.0.1", 80), jumpcut::RuntimeError);
}

TEST_CASE("getnameinfo finds names for an address, or its numbers") {
  run([] {
    const auto [host, service] = getnameinfo(Address::ip("127.0.0.1", 1));
    CHECK(!host.empty());
    CHECK(!service.empty());
  });
}

TEST_CASE("open_connection goes on to the next address where nobody listens") {
  run([] {
    for (const char* where : {"127.0.0.1", "::1"}) {
      jumpcut::Socket listening = listener(where);
      const std::uint16_t port = listening.getsockname().port();
      const std::vector<Address> all = local_addresses(port);
      if (std::find(all.begin(), all.end(), Address::ip(where, port)) == all.end()) continue;
      Stream client = jumpcut::open_connection("localhost", port);
      CHECK(client.socket().getpeername() == Address::ip(where, port));
      CHECK(listening.accept().first.is_open());
      listening.close();
      std::string text;
      CHECK(error_of([&] { jumpcut::open_connection("localhost", port); }, &text) == ECONNREFUSED);
      for (const Address& one : all) CHECK_THAT(text, Contains(one.to_string()));
    }
    CHECK(jumpcut::all_tasks().size() == 1);
  });
}
