// Memory for the shared library: a mimalloc heap. Behind a shared library mimalloc serves only who
// calls it, and malloc stays the host's.
//
// Valgrind takes over mi_free, which is an alias of free, but not mi_heap_malloc. So there, and to
// let it see each object, malloc serves.

#include <jumpcut/impl/memory.hpp>

#include "base/sanitizers.hpp"

#include <cstdlib>
#include <new>
#include <utility>

#include <mimalloc.h>

namespace jumpcut::impl {

Memory::Memory() : heap_(nullptr), most_kept_(0) {
  if (sanitizers::on_memcheck()) return;
  most_kept_ = 1024;
  heap_ = mi_heap_new();
  if (heap_ == nullptr) throw std::bad_alloc();
}

Memory::~Memory() {
  if (heap_ != nullptr) mi_heap_destroy(static_cast<mi_heap_t*>(heap_));
}

void Memory::leak() noexcept {
  if (heap_ != nullptr) mi_heap_delete(static_cast<mi_heap_t*>(std::exchange(heap_, nullptr)));
}

void* Memory::take_fresh(std::size_t size) {
  void* memory =
      heap_ != nullptr ? mi_heap_malloc(static_cast<mi_heap_t*>(heap_), size) : std::malloc(size);
  if (memory == nullptr) [[unlikely]]
    throw std::bad_alloc();
  return memory;
}

void Memory::give_back_fresh(void* memory, std::size_t) noexcept {
  if (heap_ == nullptr) [[unlikely]]
    return std::free(memory);
  mi_free(memory);
}

}  // namespace jumpcut::impl
