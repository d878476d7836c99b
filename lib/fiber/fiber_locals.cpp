#include "fiber_locals.hpp"

#include <jumpcut/fiber_local.hpp>
#include <jumpcut/impl/core.hpp>

#include <atomic>
#include <vector>

namespace jumpcut::impl {

struct FiberLocals {
  struct Made {
    std::size_t key;
    void (*destroy)(void*) noexcept;
  };
  std::vector<void*> values;  // by key
  std::vector<Made> made;     // in the order in which they were made
};

std::size_t FiberLocalKeys::fresh() noexcept {
  static std::atomic<std::size_t> count{0};
  return count.fetch_add(1, std::memory_order_relaxed);
}

void* FiberLocalKeys::find(std::size_t key) {
  Core* core = this_core;
  if (core == nullptr) throw_outside_fiber("FiberLocal");
  const FiberLocals* locals = core->running->locals_;
  return locals == nullptr || key >= locals->values.size() ? nullptr : locals->values[key];
}

void FiberLocalKeys::keep(std::size_t key, void* value, void (*destroy)(void*) noexcept) {
  FiberLocals*& locals = this_core->running->locals_;
  if (locals == nullptr) locals = new FiberLocals;
  if (key >= locals->values.size()) locals->values.resize(key + 1);
  locals->made.push_back({key, destroy});
  locals->values[key] = value;
}

void destroy_locals(FiberLocals*& locals) noexcept {
  if (locals == nullptr) return;
  while (!locals->made.empty()) {
    const auto last = locals->made.back();
    locals->made.pop_back();
    void* value = locals->values[last.key];
    locals->values[last.key] = nullptr;
    last.destroy(value);
  }
  delete locals;
  locals = nullptr;
}

}  // namespace jumpcut::impl
