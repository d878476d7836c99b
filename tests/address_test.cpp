// jumpcut/address.hpp: what is an address, and how it prints.

#include <jumpcut/jumpcut.hpp>

#include <sstream>
#include <string>

#include <net/if.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::Address, jumpcut::AddressFamily, jumpcut::ValueError;

TEST_CASE("an address of a numeric host has that, its port and its family") {
  const Address v4 = Address::ip("127.0.0.1", 80);
  CHECK(v4.family() == AddressFamily::ipv4);
  CHECK(v4.host() == "127.0.0.1");
  CHECK(v4.port() == 80);
  CHECK(v4.path().empty());
  CHECK(v4.to_string() == "127.0.0.1:80");
  const Address v6 = Address::ip("2001:db8::1", 65535);
  CHECK(v6.family() == AddressFamily::ipv6);
  CHECK(v6.host() == "2001:db8::1");
  CHECK(v6.port() == 65535);
  CHECK(v6.to_string() == "[2001:db8::1]:65535");
}

TEST_CASE("the scope of an address is the interface's name or number") {
  char name[IF_NAMESIZE];
  REQUIRE(if_indextoname(1, name) != nullptr);
  const std::string by_name = std::string("fe80::1%") + name;
  CHECK(Address::ip(by_name, 1).host() == by_name);
  CHECK(Address::ip("fe80::1%1", 1).host() == by_name);
  CHECK(Address::ip("fe80::1%4000000000", 1).host() == "fe80::1%4000000000");
}

TEST_CASE("what is no numeric host is refused by name") {
  for (const char* host :
       {"localhost", "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1%", "1.2.3.4%lo",
        "fe80::1%no-such-interface", "fe80::1%99999999999", "[::1]", "1.2.3.4 "}) {
    CHECK(!Address::is_numeric(host));
    CHECK_THROWS_WITH(Address::ip(host, 1), Contains("'" + std::string(host) + "' is no numeric"));
  }
  CHECK(!Address::is_numeric(std::string(1000, '1')));
  CHECK(!Address::is_numeric({"1.2.3.4\0x", 9}));
  CHECK_THROWS_AS(Address::ip({"1.2.3.4\0x", 9}, 1), ValueError);
  CHECK(Address::is_numeric("::"));
  CHECK(Address::is_numeric("0.0.0.0"));
}

TEST_CASE("a Unix socket's address is a path or an abstract name") {
  const Address path = Address::local("/run/x.sock");
  CHECK(path.family() == AddressFamily::local);
  CHECK(path.path() == "/run/x.sock");
  CHECK(path.to_string() == "unix:/run/x.sock");
  CHECK(path.host().empty());
  CHECK(path.port() == 0);
  const std::string name("\0name", 5);
  CHECK(Address::local(name).path() == name);
  CHECK(Address::local(name).to_string() == "unix:@name");
}

TEST_CASE("a path that is too long for a Unix socket, or none, is refused") {
  CHECK(Address::local(std::string(107, 'x')).path().size() == 107);
  CHECK_THROWS_WITH(Address::local(std::string(108, 'x')), Contains("108 bytes"));
  CHECK_THROWS_AS(Address::local(""), ValueError);
  CHECK_THROWS_AS(Address::local({"a\0b", 3}), ValueError);
  const std::string name = '\0' + std::string(107, 'x');
  CHECK(Address::local(name).path() == name);
  CHECK_THROWS_AS(Address::local(name + 'x'), ValueError);
}

TEST_CASE("addresses compare by what they say, and print themselves") {
  CHECK(Address::ip("::1", 1) == Address::ip("0:0::1", 1));
  CHECK(!(Address::ip("::1", 1) == Address::ip("::1", 2)));
  CHECK(!(Address::ip("127.0.0.1", 1) == Address::local("/x")));
  std::ostringstream out;
  out << Address::ip("::1", 1);
  CHECK(out.str() == "[::1]:1");
  CHECK(Address().to_string() == "none");
  CHECK(Address() == Address());
  CHECK(Address().family() == AddressFamily::none);
}
