#pragma once
// STUB
#include <sys/mman.h>
#include <cstddef>
#include <jumpcut/impl/export.hpp>
#include <vector>
namespace jumpcut::lowlevel {
enum class Scrub { never, on_release };
enum class GuardMode { automatic, madvise, mprotect, canary };
struct StackPoolOptions {
  std::size_t stack_size = 256 * 1024;
  std::size_t keep_idle = 4096;
  Scrub scrub = Scrub::never;
  GuardMode guard = GuardMode::automatic;
};
struct Stack {
  std::byte* low;
  std::byte* top;
};
class StackPool {
 public:
  explicit StackPool(StackPoolOptions o = {}) : o_(o) {}
  Stack take() {
    if (idle_.empty()) {
      auto slot = o_.stack_size + 65536;
      auto* m = static_cast<std::byte*>(mmap(nullptr, slot * 64, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
      for (std::size_t i = 0; i < 64; ++i) idle_.push_back(m + slot * (i + 1) - (i % 32) * 64);
    }
    auto* t = idle_.back();
    idle_.pop_back();
    return {t - o_.stack_size + 2048, t};
  }
  void give_back(Stack s) noexcept { idle_.push_back(s.top); }
  std::size_t stack_size() const noexcept { return o_.stack_size; }
  GuardMode guard_mode() const noexcept { return GuardMode::madvise; }
  std::size_t high_water(const Stack&) const { return 0; }
  bool canary_intact(const Stack&) const noexcept { return true; }
  void leak() noexcept {}
  static std::size_t min_stack_size() noexcept { return 32768; }
  static constexpr std::size_t max_stack_size = 1u << 30;

 private:
  StackPoolOptions o_;
  std::vector<std::byte*> idle_;
};
}  // namespace jumpcut::lowlevel
