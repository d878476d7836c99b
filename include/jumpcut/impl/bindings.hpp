#pragma once

#include <jumpcut/impl/export.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace jumpcut::impl {

/// What context variables hold: a set that never changes, shared by all who copied it.
struct Bindings;

JUMPCUT_API void share(Bindings& bindings) noexcept;
JUMPCUT_API void release(Bindings& bindings) noexcept;

/// One set of bindings, or none. To copy it is to count one more, so a task that is made where no
/// context variable was ever set pays a comparison.
class ContextCell {
 public:
  ContextCell() noexcept = default;
  explicit ContextCell(Bindings* taken) noexcept : bindings_(taken) {}
  ContextCell(const ContextCell& other) noexcept : bindings_(other.bindings_) {
    if (bindings_ != nullptr) [[unlikely]]
      share(*bindings_);
  }
  ContextCell(ContextCell&& other) noexcept : bindings_(std::exchange(other.bindings_, nullptr)) {}
  ContextCell& operator=(ContextCell other) noexcept {
    std::swap(bindings_, other.bindings_);
    return *this;
  }
  ~ContextCell() {
    if (bindings_ != nullptr) [[unlikely]]
      release(*bindings_);
  }

  const Bindings* bindings() const noexcept { return bindings_; }

 private:
  Bindings* bindings_ = nullptr;
};

/// One that several hold: a Context, and tasks that share it.
class SharedContext final : public ContextCell {
 public:
  void add_ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// False if a Context::run() of it is under way.
  bool enter() noexcept { return !entered_.exchange(true, std::memory_order_acquire); }
  void leave() noexcept { entered_.store(false, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> references_{1};
  std::atomic<bool> entered_{false};
};

/// The one that the running code reads and changes: its task's, its callback's, or the thread's.
JUMPCUT_API ContextCell& current_context() noexcept;

}  // namespace jumpcut::impl
