// Memory for the shared library: a mimalloc heap. Behind a shared library mimalloc serves only who
// calls it, and malloc stays the host's.

#include <jumpcut/impl/memory.hpp>

#include <new>

#include <mimalloc.h>

namespace jumpcut::impl {

Memory::Memory() : heap_(mi_heap_new()) {
  if (heap_ == nullptr) throw std::bad_alloc();
}

Memory::~Memory() {
  mi_heap_destroy(static_cast<mi_heap_t*>(heap_));
}

void* Memory::take(std::size_t size) {
  void* memory = mi_heap_malloc(static_cast<mi_heap_t*>(heap_), size);
  if (memory == nullptr) [[unlikely]]
    throw std::bad_alloc();
  return memory;
}

void Memory::give_back(void* memory, std::size_t) noexcept {
  mi_free(memory);
}

}  // namespace jumpcut::impl
