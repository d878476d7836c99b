// What tests of task groups share: what came out, as a short text.

#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/exception_group.hpp>
#include <jumpcut/sleep.hpp>

#include <exception>
#include <string>

#include "on_loop.hpp"

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

/// Calls body() in the clean-up of a task that is cancelled, and has been told so once.
template <class Body>
void in_clean_up(Body body) {
  const auto task = jumpcut::create_task([&] {
    try {
      jumpcut::sleep(1h);
    } catch (const jumpcut::Cancelled&) {
      body();
      throw;
    }
  });
  ticks();
  task.cancel();
  // What else came out comes out here.
  if (!is_cancelled([&] { await(task); })) throw Boom("the task was not cancelled");
}
