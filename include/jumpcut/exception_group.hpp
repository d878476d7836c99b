#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {

template <class Error>
bool holds(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace impl

class Unhandled;

/// Several exceptions at once, each of which may be a group again: Python's ExceptionGroup. Copies
/// share their contents, which never change.
class JUMPCUT_API ExceptionGroup : public std::exception {
 public:
  using Matcher = std::function<bool(const std::exception_ptr&)>;

  /// Throws ValueError if there is no exception, or a null one.
  ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);

  const std::string& message() const noexcept;
  const std::vector<std::exception_ptr>& exceptions() const noexcept;
  /// The whole tree, a line for each exception: the message and the number of exceptions, then each
  /// of them, indented, with the exceptions that it is nested around (std::nested_exception).
  const char* what() const noexcept override;

  /// Two groups of the same shape: the exceptions that are an Error, and the rest. A group whose
  /// part would be empty is left out. A group that is itself an Error goes as a whole.
  template <class Error>
  std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> split() const {
    return split(impl::holds<Error>);
  }
  /// The same, by a function that says which.
  std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> split(
      const Matcher& matches) const;

  /// The exceptions that are an Error, in a group of the same shape; nothing if none is.
  template <class Error>
  std::optional<ExceptionGroup> subgroup() const {
    return split<Error>().first;
  }
  std::optional<ExceptionGroup> subgroup(const Matcher& matches) const {
    return split(matches).first;
  }
  /// Whether an exception, at any depth, is an Error.
  template <class Error>
  bool contains() const {
    return split<Error>().first.has_value();
  }

  /// All that are not groups, in order.
  std::vector<std::exception_ptr> leaves() const;

  /// Python's `except*`: calls function(group) with the exceptions that are an Error, or
  /// function(error) for each of them, if there are any. What it throws is kept, and what is left
  /// can be handled further:
  ///
  ///     group.handle<NetworkError>([](const NetworkError& error) { ... })
  ///         .handle<ParseError>([](const ExceptionGroup& errors) { ... })
  ///         .rethrow();
  template <class Error, class Function>
  Unhandled handle(Function&& function) const;

 private:
  struct Content;
  std::shared_ptr<const Content> content_;
};

/// What is left of a group while it is handled, kind by kind.
class [[nodiscard("call rethrow(), or what is left is lost")]] JUMPCUT_API Unhandled {
 public:
  explicit Unhandled(ExceptionGroup group) : rest_(std::move(group)) {}

  template <class Error, class Function>
  Unhandled handle(Function && function) {
    if (!rest_.has_value()) return std::move(*this);
    auto parts = rest_->split<Error>();
    const auto& matching = parts.first;
    rest_ = std::move(parts.second);
    if (!matching.has_value()) return std::move(*this);
    if constexpr (std::is_invocable_v<Function&, const ExceptionGroup&>) {
      keep([&] { function(*matching); });
    } else {
      for (const std::exception_ptr& error : matching->leaves()) {
        keep([&] { call_with<Error>(function, error); });
      }
    }
    return std::move(*this);
  }

  /// What no function was called for.
  const std::optional<ExceptionGroup>& rest() const noexcept {
    return rest_;
  }

  /// Throws what is left, if anything is: as it is, or, if functions threw, a group of what they
  /// threw and of it.
  void rethrow() const;

 private:
  template <class Error, class Function>
  static void call_with(Function & function, const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& found) {
      function(found);
    }
  }
  template <class Call>
  void keep(Call && call) {
    try {
      call();
    } catch (...) {
      thrown_.push_back(std::current_exception());
    }
  }

  std::optional<ExceptionGroup> rest_;
  std::vector<std::exception_ptr> thrown_;
};

template <class Error, class Function>
Unhandled ExceptionGroup::handle(Function&& function) const {
  return Unhandled(*this).handle<Error>(std::forward<Function>(function));
}

}  // namespace jumpcut
