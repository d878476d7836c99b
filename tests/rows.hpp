// What the tests of rows share. A row is a behaviour of asyncio that programs rely upon without
// knowing it, mostly an order of events. There are forty, in the files rows_*_test.cpp: [row-1] to
// [row-9] are turns of the loop, [row-10] to [row-18] cancellation, [row-19] to [row-30] waiting
// for several, deadlines and groups, [row-31] to [row-34] locks and queues, [row-35] to [row-40]
// errors, contexts and the life of a loop. What each expects is what CPython 3.13 does.

#pragma once

#include <jumpcut/jumpcut.hpp>

#include <exception>
#include <stdexcept>
#include <string>

#include "on_loop.hpp"

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

 private:
  std::string text_;
};

struct Boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Runs body(log) as a loop's main task, and returns the log.
template <class Body>
std::string row(Body body) {
  Log log;
  on_loop([&] { body(log); });
  return log.text();
}

/// Enqueues a call that logs.
inline void soon(Log& log, const std::string& what) {
  jumpcut::get_running_loop().call_soon([&log, what] { log(what); });
}
