// timeout: three ways to give up in time.
//
//   $ ./timeout
//   answer: cancelled by a timeout
//   wait_for: timed out after 0.10 s
//   timeout: timed out after 0.10 s
//   timeout: 42 in time

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

int answer() {
  try {
    jumpcut::sleep(1h);
  } catch (const jumpcut::Cancelled& cancelled) {
    if (cancelled.reason() == jumpcut::CancelReason::deadline) {
      std::puts("answer: cancelled by a timeout");
    }
    throw;
  }
  return 42;
}

}  // namespace

int main() {
  jumpcut::run([] {
    const auto start = jumpcut::get_running_loop().time();
    const auto elapsed = [&] {
      return std::chrono::duration<double>(jumpcut::get_running_loop().time() - start).count();
    };
    try {
      jumpcut::wait_for(answer, 100ms);
    } catch (const jumpcut::TimeoutError&) {
      std::printf("wait_for: timed out after %.2f s\n", elapsed());
    }
    try {
      jumpcut::timeout(0s, [] { jumpcut::sleep(1s); });
    } catch (const jumpcut::TimeoutError&) {
      std::printf("timeout: timed out after %.2f s\n", elapsed());
    }
    const int result = jumpcut::timeout(1s, [](jumpcut::Timeout& scope) {
      scope.reschedule(jumpcut::get_running_loop().time() + 2s);
      jumpcut::sleep(1500ms);
      return 42;
    });
    std::printf("timeout: %d in time\n", result);
  });
}
