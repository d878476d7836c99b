// What tests of task groups share: what came out, as a short text.

#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/exception_group.hpp>
#include <jumpcut/sleep.hpp>

#include <exception>
#include <stdexcept>
#include <string>

#include "on_loop.hpp"

struct Boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The texts of the exceptions, groups in parentheses: "a,b,(c,d)".
inline std::string sketch(const jumpcut::ExceptionGroup& errors) {
  std::string text;
  for (const auto& one : errors.exceptions()) {
    if (!text.empty()) text += ",";
    try {
      std::rethrow_exception(one);
    } catch (const jumpcut::ExceptionGroup& inner) {
      text += "(" + sketch(inner) + ")";
    } catch (const std::exception& error) {
      text += error.what();
    }
  }
  return text;
}

/// Of the group that body() throws; "cancelled: why" if it throws Cancelled.
template <class Body>
std::string errors_of(Body body) {
  try {
    body();
  } catch (const jumpcut::ExceptionGroup& errors) {
    return sketch(errors);
  } catch (const jumpcut::Cancelled& cancelled) {
    return "cancelled: " + cancelled.message();
  }
  return "none";
}

inline auto fail_after_ms(int ms, const char* text) {
  return [ms, text] {
    jumpcut::sleep(ms * 1ms);
    throw Boom(text);
  };
}

inline auto fail_when_cancelled(const char* text) {
  return [text] {
    try {
      jumpcut::sleep(1h);
    } catch (const jumpcut::Cancelled&) {
      throw Boom(text);
    }
  };
}

/// On the loop's clock, which is virtual.
inline auto elapsed() {
  return jumpcut::get_running_loop().time().time_since_epoch();
}
