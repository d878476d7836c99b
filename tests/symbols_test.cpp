// lib/base/symbols.hpp and backtrace.hpp: which functions can be named, and how.

#include "base/symbols.hpp"

#include "base/backtrace.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include <catch2/catch.hpp>

using jumpcut::impl::backtrace;
using jumpcut::impl::Symbol;
using jumpcut::impl::Symbols;

namespace {

[[gnu::noinline]] void nobody_exports_this(int) {
  asm volatile("" : : : "memory");
}

struct Nested {
  [[gnu::noinline]] static void member(const std::string&) { asm volatile("" : : : "memory"); }
};

template <class Function>
std::uintptr_t inside(Function* function) {
  return reinterpret_cast<std::uintptr_t>(function) + 1;
}

struct Calls {
  std::array<std::uintptr_t, 64> addresses{};
  std::size_t room = 64;
  std::size_t count = 0;
};

[[gnu::noinline]] void inner(Calls& calls) {
  calls.count = backtrace(std::span(calls.addresses).first(calls.room));
  asm volatile("" : : : "memory");
}

[[gnu::noinline]] void outer(Calls& calls) {
  inner(calls);
  asm volatile("" : : : "memory");
}

[[noreturn, gnu::noinline]] void throw_after(Calls& calls) {
  inner(calls);
  throw 1;
}

/// Its last instruction is the call, so the return address is past its end.
[[noreturn, gnu::noinline]] void ends_by_a_call(Calls& calls) {
  throw_after(calls);
}

}  // namespace

TEST_CASE("a function that no linker can see is named, as one would write it") {
  Symbols symbols;
  const Symbol symbol = symbols.find(inside(&nobody_exports_this));
  CHECK(symbol.function == "(anonymous namespace)::nobody_exports_this(int)");
  CHECK_THAT(symbol.object, Catch::EndsWith("symbols_test"));
  CHECK_FALSE(symbol.is_runtime);
  CHECK_THAT(symbol.text(),
             Catch::Matches("\\(anonymous namespace\\)::nobody_exports_this\\(int\\) "
                            "\\([a-z_]*symbols_test\\+0x[0-9a-f]+\\)"));
}

TEST_CASE("std::string is written as such in the names of functions") {
  Symbols symbols;
  CHECK(symbols.find(inside(&Nested::member)).function ==
        "(anonymous namespace)::Nested::member(std::string const&)");
}

TEST_CASE("a function of a shared library is named, with the library") {
  Symbols symbols;
  const Symbol symbol = symbols.find(inside(&a64l));
  CHECK(symbol.function == "a64l");
  CHECK_THAT(symbol.object, Catch::StartsWith("libc"));
}

TEST_CASE("an address in no function is said by where it lies") {
  Symbols symbols;
  static const char data = 'x';
  const Symbol in_program = symbols.find(reinterpret_cast<std::uintptr_t>(&data));
  CHECK(in_program.function.empty());
  CHECK_THAT(in_program.text(), Catch::Matches("[a-z_]*symbols_test\\+0x[0-9a-f]+"));
  CHECK(symbols.find(1).text() == "0x1");
}

TEST_CASE("the runtime's own functions are told from those that its users see") {
  Symbols symbols;
  CHECK(symbols.find(inside(&jumpcut::impl::demangle)).is_runtime);
  CHECK_FALSE(symbols.find(inside(&outer)).is_runtime);
}

TEST_CASE("a backtrace begins with its caller") {
  Calls calls;
  outer(calls);
  Symbols symbols;
  REQUIRE(calls.count > 2);
  CHECK_THAT(symbols.find(calls.addresses[0]).function, Catch::Contains("::inner("));
  CHECK_THAT(symbols.find(calls.addresses[1]).function, Catch::Contains("::outer("));
}

TEST_CASE("a backtrace counts the calls that do not fit") {
  Calls calls[2];
  calls[1].room = 1;
  for (auto& each : calls) outer(each);
  CHECK(calls[0].count > 2);
  CHECK(calls[1].count == calls[0].count);
  CHECK(calls[1].addresses[0] == calls[0].addresses[0]);
  CHECK(calls[1].addresses[1] == 0);
}

TEST_CASE("a call that its function ends with is looked up in that function") {
  Calls calls;
  CHECK_THROWS_AS(ends_by_a_call(calls), int);
  Symbols symbols;
  CHECK_THAT(symbols.find(calls.addresses[1]).function, Catch::Contains("::throw_after("));
  CHECK_THAT(symbols.find(calls.addresses[2]).function, Catch::Contains("::ends_by_a_call("));
}
