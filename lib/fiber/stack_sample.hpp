// The stack of another thread, taken while that runs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <pthread.h>

namespace jumpcut::impl {

/// What a thread that runs fibers was found doing.
struct StackSample {
  bool on_hub = false;
  std::string name = {};                    ///< the fiber's, unless on_hub
  std::uint64_t others = 0;                 ///< that are ready meanwhile
  std::vector<std::uintptr_t> frames = {};  ///< innermost first; empty if it has not answered
};

/// Takes samples by SIGURG, which hosts and debuggers expect to come without a reason and to mean
/// nothing; a handler that was there before gets those that are not ours. One thread takes samples.
class StackSampler {
 public:
  enum class Answer : std::uint8_t {
    sampled,
    moved_on,  ///< it runs another step by now
    none,      ///< it blocks the signal, or somebody else handles it
  };

  /// Puts the signal handler in place, unless it is. Throws std::system_error.
  static void install();
  /// Asks the thread, which has a scheduler, for its stack, if `step` is still what its ready queue
  /// counts. The thread must not end meanwhile. Returns false if it can't be asked.
  static bool ask(pthread_t thread, std::uint64_t step) noexcept;
  /// Waits for the answer, some time; the thread that was asked may end.
  static Answer wait_for(StackSample& sample);
};

}  // namespace jumpcut::impl
