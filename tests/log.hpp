// What happened, as one line to compare with.

#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

/// What happened, in order.
class Log {
 public:
  void operator()(const std::string& what) { text_ += (text_.empty() ? "" : " ") + what; }
  /// Calls body(), and writes what it threw: "cancelled" or "cancelled(message)", "timeout", or the
  /// exception's text; and otherwise what it returned, if it is a number.
  template <class Body>
  void outcome(const std::string& who, Body body) {
    try {
      if constexpr (std::is_void_v<decltype(body())>) {
        body();
        (*this)(who + "-ok");
      } else {
        (*this)(who + "-" + std::to_string(body()));
      }
    } catch (const jumpcut::Cancelled& error) {
      (*this)(who + "-cancelled" + (error.has_message() ? "(" + error.message() + ")" : ""));
    } catch (const jumpcut::TimeoutError&) {
      (*this)(who + "-timeout");
    } catch (const std::exception& error) {
      (*this)(who + "-" + error.what());
    }
  }
  const std::string& text() const { return text_; }
  /// What happened since it was taken last.
  std::string take() { return std::exchange(text_, ""); }

 private:
  std::string text_;
};
