#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

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
  /// Nothing is kept for later takers any more, so that in_use() is what its name says.
  void retire() noexcept;
  /// What was taken and not given back, beside what is kept.
  std::size_t in_use() const noexcept { return outside_; }

  /// Aligned for any object that is not over-aligned. Throws std::bad_alloc.
  [[gnu::always_inline]] void* take(std::size_t size) {
    if (size > largest) [[unlikely]]
      return take_aside(size);
    Shelf& shelf = shelf_of(size);
    if (shelf.top == shelf.bottom) return take_aside(size);
    void* memory = *--shelf.top;
    if (size > cache_line) {
      // Who takes large ones writes all over them, and may take many: so the one after the next few
      // is asked for.
      const auto* later = static_cast<const std::byte*>(shelf.top[-ahead]);
      __builtin_prefetch(later, 1);
      __builtin_prefetch(later + cache_line, 1);
    }
    return memory;
  }
  /// The same size as it was taken with.
  [[gnu::always_inline]] void give_back(void* memory, std::size_t size) noexcept {
    if (!keep(memory, size)) [[unlikely]]
      give_back_aside(memory, size);
  }
  /// The one half of it: false if there is no room to keep it, or no wish.
  [[gnu::always_inline]] bool keep(void* memory, std::size_t size) noexcept {
    if (size > largest) [[unlikely]]
      return false;
    Shelf& shelf = shelf_of(size);
    if (shelf.top == shelf.end) [[unlikely]]
      return false;
    *shelf.top++ = memory;
    return true;
  }
  /// The other half.
  void give_back_aside(void* memory, std::size_t size) noexcept;

 private:
  static constexpr std::size_t step = 32;
  static constexpr std::size_t largest = 512;
  static constexpr std::ptrdiff_t ahead = 4;
  /// What was given back last is taken first, without asking the heap: it is in the cache. The
  /// list lies apart from what it keeps, so who takes many needn't wait for each of them to find
  /// the next.
  struct Shelf {
    void** top = nullptr;
    void** end = nullptr;     // room for all that came from the heap for it, up to `most_kept_`
    void** bottom = nullptr;  // below it are `ahead` more, of no matter what memory
    std::size_t fresh = 0;    // so many came from there, and have not gone back
    std::unique_ptr<void*[]> slots = {};

    std::size_t count() const noexcept { return static_cast<std::size_t>(top - bottom); }
    /// So that one more may come from the heap. Throws std::bad_alloc.
    void make_room(std::size_t most);
  };
  Shelf& shelf_of(std::size_t size) noexcept { return shelves_[(size - 1) / step]; }
  static std::size_t rounded(std::size_t size) noexcept {
    return size > largest ? size : (size + step - 1) / step * step;
  }

  void* take_aside(std::size_t size);
  void* take_fresh(std::size_t size);
  void give_back_fresh(void* memory, std::size_t size) noexcept;
  [[maybe_unused]] void* heap_;  // of no use to malloc
  std::size_t outside_ = 0;      // taken from the heap and not given back to it
  std::size_t most_kept_;        // a shelf; 0 where a tool is to see each object
  Shelf shelves_[largest / step];
};

}  // namespace jumpcut::impl
