#pragma once

#include <jumpcut/impl/export.hpp>

#include <new>
#include <stdexcept>

namespace jumpcut {

/// A call that can't be made here or now: outside a fiber, on another thread's scheduler, twice.
/// The text says which call, on what, and what to do instead. Like Python's RuntimeError.
class JUMPCUT_API RuntimeError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A task waits for itself, by way of others: cancelling it would go round in circles. Like
/// Python's RecursionError.
class JUMPCUT_API RecursionError : public RuntimeError {
 public:
  using RuntimeError::RuntimeError;
};

/// A value that can't be used: a stack too small or too large, a missing function. The text names
/// the value and what is accepted. Like Python's ValueError.
class JUMPCUT_API ValueError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A future that is done was to be set again, or one that is not done was asked for its result.
class JUMPCUT_API InvalidStateError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A deadline passed first.
class JUMPCUT_API TimeoutError : public std::runtime_error {
 public:
  TimeoutError() : std::runtime_error("timed out") {}
  using std::runtime_error::runtime_error;
};

/// The loop can never go on: nothing is ready, no timer is set, no descriptor is watched, and no
/// thread is there that could post. The text lists every parked task, where it parked and on what.
class JUMPCUT_API Deadlock : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// SIGINT ended run(), as KeyboardInterrupt does in Python.
class JUMPCUT_API Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted by SIGINT") {}
  using std::runtime_error::runtime_error;
};

/// A limit of the system is hit. The text names the limit and how to raise it. A std::bad_alloc,
/// so code that survives running out of memory survives this as well; holds its text itself.
class JUMPCUT_API ResourceError : public std::bad_alloc {
 public:
  /// Formats like printf, and cuts what does not fit.
  [[gnu::format(printf, 2, 3)]] explicit ResourceError(const char* format, ...) noexcept;
  const char* what() const noexcept override { return text_; }

 private:
  char text_[320];
};

}  // namespace jumpcut
