// What is played again and again, each time with another fault.

#pragma once

#include <jumpcut/loop.hpp>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace faults {

/// What came is not what was sent: never right, whatever failed.
struct Wrong : std::logic_error {
  using std::logic_error::logic_error;
};
inline void expect(bool holds, const char* what) {
  if (!holds) throw Wrong(what);
}

/// Runs the body as the main task of a loop, for some seconds at most. Whoever is left when it ends
/// must end by himself.
void in_loop(const std::function<void()>& body);

/// What somebody was told of an error, where there was no one to throw to. In any thread.
void note(const jumpcut::ErrorContext& context);
bool is_anything_noted();

struct Played {
  std::uint32_t faults = 0;
  std::string wrong;  ///< what was not as it must be, a line each
};

/// Plays it once as it is, and then with each fault that each of its system calls may have; of so
/// many faults one. Each time it must end, without an error or with one that names the call, and
/// leave no descriptor, thread, process, task or registration behind.
Played play(const std::string& name, const std::function<void()>& body, std::uint32_t one_of = 1);

}  // namespace faults
