// What tests share that turn a loop by hand, and look at what it keeps.

#pragma once

#include <jumpcut/loop.hpp>

#include <utility>

/// One tick, or so many, without waiting.
inline void tick(jumpcut::Loop& loop, int count = 1) {
  while (count-- > 0) {
    loop.stop();
    loop.run_forever();
  }
}

/// Counts its destructions; moved-from ones don't count.
class Witness {
 public:
  explicit Witness(int& count) : count_(&count) {}
  Witness(Witness&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  ~Witness() {
    if (count_ != nullptr) ++*count_;
  }

 private:
  int* count_;
};
