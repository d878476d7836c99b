#include <jumpcut/impl/memory.hpp>

namespace jumpcut::impl {

void Memory::retire() noexcept {
  most_kept_ = 0;
  // What lies on the shelves goes with the heap.
  for (Shelf& shelf : shelves_) {
    outside_ -= shelf.count();
    shelf = {};
  }
}

void* Memory::take_aside(std::size_t size) {
  void* memory = take_fresh(rounded(size));
  ++outside_;
  return memory;
}

void Memory::give_back_aside(void* memory, std::size_t size) noexcept {
  --outside_;
  give_back_fresh(memory, rounded(size));
}

}  // namespace jumpcut::impl
