// Memory under a sanitizer: its own malloc, so that it sees each object.

#include <jumpcut/impl/memory.hpp>

#include <cstdlib>
#include <new>

namespace jumpcut::impl {

Memory::Memory() : heap_(nullptr), most_kept_(0) {}
Memory::~Memory() = default;

void Memory::leak() noexcept {}

void* Memory::take_fresh(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Memory::give_back_fresh(void* memory, std::size_t) noexcept {
  std::free(memory);
}

}  // namespace jumpcut::impl
