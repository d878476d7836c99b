#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/impl/export.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {

[[noreturn]] JUMPCUT_API void throw_no_error();

/// The untyped half of Result.
class JUMPCUT_API ResultBase {
 public:
  bool has_value() const noexcept { return error_ == nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  /// What was thrown instead; null if there is a value.
  const std::exception_ptr& error() const noexcept { return error_; }
  /// The error is a Cancelled.
  bool is_cancelled() const noexcept { return impl::is_cancelled(error_); }

 protected:
  ResultBase() noexcept = default;
  explicit ResultBase(std::exception_ptr error) : error_(std::move(error)) {
    if (error_ == nullptr) throw_no_error();
  }
  ~ResultBase() = default;
  ResultBase(const ResultBase&) noexcept = default;
  ResultBase(ResultBase&&) noexcept = default;
  ResultBase& operator=(const ResultBase&) noexcept = default;
  ResultBase& operator=(ResultBase&&) noexcept = default;

  void check() const {
    if (!has_value()) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

}  // namespace impl

/// What became of a call: a value, or the exception it threw. What gather_results() returns for
/// each, where asyncio.gather(return_exceptions=True) mixes values and exceptions.
template <class T = void>
class Result : public impl::ResultBase {
 public:
  using value_type = T;

  explicit Result(T value) : value_(std::move(value)) {}
  /// One with an error. Throws ValueError for null.
  static Result failed(std::exception_ptr error) { return Result(Failed{std::move(error)}); }

  /// The value; throws the error if there is none.
  const T& value() const& {
    check();
    return *value_;
  }
  T& value() & {
    check();
    return *value_;
  }
  T&& value() && {
    check();
    return std::move(*value_);
  }

 private:
  struct Failed {
    std::exception_ptr error;
  };
  explicit Result(Failed failed) : ResultBase(std::move(failed.error)) {}

  std::optional<T> value_;
};

template <>
class Result<void> : public impl::ResultBase {
 public:
  using value_type = void;

  Result() noexcept = default;
  static Result failed(std::exception_ptr error) { return Result(std::move(error)); }

  /// Throws the error if there is one.
  void value() const { check(); }

 private:
  explicit Result(std::exception_ptr error) : ResultBase(std::move(error)) {}
};

}  // namespace jumpcut
