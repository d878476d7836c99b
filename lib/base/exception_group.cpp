#include <jumpcut/exception_group.hpp>

#include <jumpcut/error.hpp>

#include "base/exception_text.hpp"

namespace jumpcut {

struct ExceptionGroup::Content {
  std::string message;
  std::vector<std::exception_ptr> exceptions;
  std::string tree;
};

namespace {

std::string tree_of(const std::string& message, const std::vector<std::exception_ptr>& exceptions) {
  std::string text = message.empty() ? "several exceptions" : message;
  text += " (" + std::to_string(exceptions.size()) +
          (exceptions.size() == 1 ? " sub-exception)" : " sub-exceptions)");
  for (std::size_t i = 0; i < exceptions.size(); ++i) {
    text += "\n  " + std::to_string(i + 1) + ". " + impl::exception_text(exceptions[i], "  ");
  }
  return text;
}

std::optional<ExceptionGroup> group_in(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ExceptionGroup& group) {
    return group;
  } catch (...) {
    return std::nullopt;
  }
}

std::optional<ExceptionGroup> group_of(const std::string& message,
                                       std::vector<std::exception_ptr> exceptions) {
  if (exceptions.empty()) return std::nullopt;
  return ExceptionGroup(message, std::move(exceptions));
}

}  // namespace

ExceptionGroup::ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions) {
  if (exceptions.empty()) throw ValueError("ExceptionGroup: it needs at least one exception");
  for (const std::exception_ptr& one : exceptions) {
    if (one == nullptr) throw ValueError("ExceptionGroup: an exception is null");
  }
  std::string tree = tree_of(message, exceptions);
  content_ = std::make_shared<const Content>(
      Content{std::move(message), std::move(exceptions), std::move(tree)});
}

const std::string& ExceptionGroup::message() const noexcept {
  return content_->message;
}

const std::vector<std::exception_ptr>& ExceptionGroup::exceptions() const noexcept {
  return content_->exceptions;
}

const char* ExceptionGroup::what() const noexcept {
  return content_->tree.c_str();
}

std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> ExceptionGroup::split(
    const Matcher& matches) const {
  if (matches(std::make_exception_ptr(*this))) return {*this, std::nullopt};
  std::vector<std::exception_ptr> matching;
  std::vector<std::exception_ptr> rest;
  for (const std::exception_ptr& one : exceptions()) {
    if (matches(one)) {
      matching.push_back(one);
    } else if (const auto inner = group_in(one)) {
      auto [inner_matching, inner_rest] = inner->split(matches);
      if (inner_matching) matching.push_back(std::make_exception_ptr(*inner_matching));
      if (inner_rest) rest.push_back(std::make_exception_ptr(*inner_rest));
    } else {
      rest.push_back(one);
    }
  }
  return {group_of(message(), std::move(matching)), group_of(message(), std::move(rest))};
}

std::vector<std::exception_ptr> ExceptionGroup::leaves() const {
  std::vector<std::exception_ptr> all;
  for (const std::exception_ptr& one : exceptions()) {
    if (const auto inner = group_in(one)) {
      for (std::exception_ptr& leaf : inner->leaves()) all.push_back(std::move(leaf));
    } else {
      all.push_back(one);
    }
  }
  return all;
}

void Unhandled::rethrow() const {
  if (thrown_.empty()) {
    if (rest_.has_value()) throw ExceptionGroup(*rest_);
    return;
  }
  std::vector<std::exception_ptr> all = thrown_;
  if (rest_.has_value()) all.push_back(std::make_exception_ptr(*rest_));
  throw ExceptionGroup("", std::move(all));
}

}  // namespace jumpcut
