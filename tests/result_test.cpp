// jumpcut/result.hpp: a value, or what was thrown instead.

#include <jumpcut/result.hpp>

#include <jumpcut/error.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <catch2/catch.hpp>

using jumpcut::Cancelled;
using jumpcut::Result;
using jumpcut::ValueError;

TEST_CASE("a Result of a value has it, and no error") {
  const Result<int> result(7);
  CHECK(result.has_value());
  CHECK(result);
  CHECK(result.value() == 7);
  CHECK(result.error() == nullptr);
  CHECK(!result.is_cancelled());
}

TEST_CASE("a Result of an error throws it when it is asked for the value") {
  const auto error = std::make_exception_ptr(std::runtime_error("no"));
  const auto result = Result<int>::failed(error);
  CHECK(!result.has_value());
  CHECK(!result);
  CHECK(result.error() == error);
  CHECK_THROWS_AS(result.value(), std::runtime_error);
  CHECK(!result.is_cancelled());
}

TEST_CASE("a Result tells that its error is a cancellation") {
  const auto result = Result<int>::failed(std::make_exception_ptr(Cancelled("enough")));
  CHECK(result.is_cancelled());
  CHECK_THROWS_AS(result.value(), Cancelled);
}

TEST_CASE("a Result can't fail with nothing") {
  CHECK_THROWS_AS(Result<int>::failed(nullptr), ValueError);
  CHECK_THROWS_AS(Result<void>::failed(nullptr), ValueError);
}

TEST_CASE("a Result of no value throws its error, or returns") {
  CHECK_NOTHROW(Result<>().value());
  CHECK(Result<>());
  const auto result = Result<void>::failed(std::make_exception_ptr(std::runtime_error("no")));
  CHECK(!result);
  CHECK_THROWS_AS(result.value(), std::runtime_error);
}

TEST_CASE("a value that can't be copied moves out of its Result") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  CHECK(*result.value() == 3);
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 3);
}

TEST_CASE("a Result may hold an exception as its value") {
  const auto error = std::make_exception_ptr(std::runtime_error("a value"));
  const Result<std::exception_ptr> result(error);
  CHECK(result.has_value());
  CHECK(result.value() == error);
}

TEST_CASE("Results can be copied and assigned") {
  Result<std::string> a("one");
  Result<std::string> b = a;
  CHECK(b.value() == "one");
  b = Result<std::string>::failed(std::make_exception_ptr(std::runtime_error("no")));
  CHECK(!b);
  CHECK(a.value() == "one");
  b = a;
  CHECK(b.value() == "one");
}
