#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>

namespace jumpcut::impl {

/// Where a scheduler's own small objects come from: a heap of its own, which one thread uses, so
/// that no lock is taken. mimalloc's in the shared library, a plain free list in the static one,
/// malloc under a sanitizer (lib/base/memory_*.cpp).
class JUMPCUT_API Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// What was taken stays valid for good, and nothing is given back any more.
  void leak() noexcept;
  /// Aligned for any object that is not over-aligned. Throws std::bad_alloc.
  void* take(std::size_t size);
  /// The same size as it was taken with.
  void give_back(void* memory, std::size_t size) noexcept;

 private:
  [[maybe_unused]] void* heap_;  // of no use to malloc
};

}  // namespace jumpcut::impl
