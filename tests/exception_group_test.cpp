// jumpcut/exception_group.hpp: taking groups apart, and the text of the tree.

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/exception_group.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::ExceptionGroup;

namespace {

struct Boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct LoudBoom : Boom {
  using Boom::Boom;
};
struct Bang : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Errors>
ExceptionGroup group(const char* message, const Errors&... errors) {
  return ExceptionGroup(message, {std::make_exception_ptr(errors)...});
}

/// "message(text,text)", in order.
std::string sketch(const ExceptionGroup& errors) {
  std::string text = errors.message() + "(";
  for (const auto& one : errors.exceptions()) {
    if (text.back() != '(') text += ",";
    try {
      std::rethrow_exception(one);
    } catch (const ExceptionGroup& inner) {
      text += sketch(inner);
    } catch (const std::exception& error) {
      text += error.what();
    }
  }
  return text + ")";
}
std::string sketch(const std::optional<ExceptionGroup>& errors) {
  return errors.has_value() ? sketch(*errors) : "none";
}

ExceptionGroup tree() {
  return group("top", Boom("a"), group("inner", Bang("b"), Boom("c")), Bang("d"),
               group("last", Bang("e")));
}

}  // namespace

TEST_CASE("an ExceptionGroup has a message and its exceptions in order") {
  const ExceptionGroup errors = group("several", Boom("a"), Bang("b"));
  CHECK(errors.message() == "several");
  REQUIRE(errors.exceptions().size() == 2);
  CHECK_THROWS_AS(std::rethrow_exception(errors.exceptions()[0]), Boom);
  CHECK_THROWS_AS(std::rethrow_exception(errors.exceptions()[1]), Bang);
}

TEST_CASE("an ExceptionGroup of nothing, or with a null exception, is refused") {
  CHECK_THROWS_AS(ExceptionGroup("empty", {}), jumpcut::ValueError);
  CHECK_THROWS_AS(ExceptionGroup("null", {nullptr}), jumpcut::ValueError);
}

TEST_CASE("ExceptionGroup.split keeps the shape of the tree on both sides") {
  const auto [booms, rest] = tree().split<Boom>();
  CHECK(sketch(booms) == "top(a,inner(c))");
  CHECK(sketch(rest) == "top(inner(b),d,last(e))");
}

TEST_CASE("ExceptionGroup.split leaves an empty side out") {
  const ExceptionGroup errors = group("top", Boom("a"), group("inner", LoudBoom("b")));
  CHECK(sketch(errors.split<Boom>().first) == "top(a,inner(b))");
  CHECK(sketch(errors.split<Boom>().second) == "none");
  CHECK(sketch(errors.split<Bang>().first) == "none");
  CHECK(sketch(errors.split<Bang>().second) == "top(a,inner(b))");
}

TEST_CASE("ExceptionGroup.split takes a group that matches as a whole") {
  const auto [groups, rest] = tree().split<ExceptionGroup>();
  CHECK(sketch(groups) == sketch(tree()));
  CHECK(sketch(rest) == "none");
}

TEST_CASE("ExceptionGroup.split goes by a function as well") {
  const auto is_d = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const Bang& bang) {
      return std::string(bang.what()) == "d";
    } catch (...) {
      return false;
    }
  };
  CHECK(sketch(tree().subgroup(is_d)) == "top(d)");
}

TEST_CASE("ExceptionGroup.contains looks at any depth, and at base classes") {
  const ExceptionGroup errors = group("top", group("inner", LoudBoom("b")));
  CHECK(errors.contains<LoudBoom>());
  CHECK(errors.contains<Boom>());
  CHECK(errors.contains<std::exception>());
  CHECK_FALSE(errors.contains<Bang>());
}

TEST_CASE("ExceptionGroup.leaves are all that are not groups") {
  CHECK(tree().leaves().size() == 5);
}

TEST_CASE("handle calls its function once, with the group of what matches") {
  std::string seen;
  tree()
      .handle<Boom>([&](const ExceptionGroup& errors) { seen += sketch(errors); })
      .handle<Bang>([&](const ExceptionGroup& errors) { seen += " " + sketch(errors); })
      .rethrow();
  CHECK(seen == "top(a,inner(c)) top(inner(b),d,last(e))");
}

TEST_CASE("handle calls a function that takes the error for each of them") {
  std::string seen;
  tree()
      .handle<Boom>([&](const Boom& error) { seen += error.what(); })
      .handle<std::runtime_error>([&](const std::runtime_error& error) { seen += error.what(); })
      .rethrow();
  CHECK(seen == "acbde");
}

TEST_CASE("handle does not call the function if nothing matches, and rethrow throws what is left") {
  bool called = false;
  try {
    tree()
        .handle<std::bad_alloc>([&](const ExceptionGroup&) { called = true; })
        .handle<Boom>([](const ExceptionGroup&) {})
        .rethrow();
    FAIL("nothing was thrown");
  } catch (const ExceptionGroup& rest) {
    CHECK(sketch(rest) == "top(inner(b),d,last(e))");
  }
  CHECK_FALSE(called);
}

TEST_CASE("rethrow throws what handlers threw, and what is left, in one group") {
  try {
    tree()
        .handle<Boom>([](const ExceptionGroup&) { throw std::runtime_error("in the handler"); })
        .rethrow();
    FAIL("nothing was thrown");
  } catch (const ExceptionGroup& errors) {
    CHECK(sketch(errors) == "(in the handler,top(inner(b),d,last(e)))");
  }
}

TEST_CASE("ExceptionGroup.what is the tree, a line for each exception") {
  const std::string text = group("top", std::runtime_error("a"), jumpcut::Cancelled("why"),
                                 group("inner", std::logic_error("b\nand more"), 7))
                               .what();
  CHECK(text ==
        "top (3 sub-exceptions)\n"
        "  1. std::runtime_error: a\n"
        "  2. jumpcut::Cancelled: cancelled: why\n"
        "  3. inner (2 sub-exceptions)\n"
        "    1. std::logic_error: b\n"
        "    and more\n"
        "    2. int");
}

TEST_CASE("ExceptionGroup.what shows the exceptions that one is nested around") {
  std::exception_ptr error;
  try {
    try {
      try {
        throw std::runtime_error("no route");
      } catch (...) {
        std::throw_with_nested(std::logic_error("can't connect"));
      }
    } catch (...) {
      std::throw_with_nested(jumpcut::TimeoutError("too late"));
    }
  } catch (...) {
    error = std::current_exception();
  }
  CHECK(std::string(ExceptionGroup("top", {error}).what()) ==
        "top (1 sub-exception)\n"
        "  1. jumpcut::TimeoutError: too late\n"
        "  from std::logic_error: can't connect\n"
        "  from std::runtime_error: no route");
}
