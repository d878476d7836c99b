// Memory for the static library, where mimalloc would take the whole program's malloc over: carved
// from chunks of malloc's, kept on the shelves from then on, and given back as a whole.

#include <jumpcut/impl/memory.hpp>

#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

namespace jumpcut::impl {

namespace {

constexpr std::size_t chunk = 64 * 1024;

struct Heap {
  std::byte* rest = nullptr;  // of the newest chunk
  std::size_t rest_size = 0;
  std::vector<void*> chunks;

  void* carve(std::size_t size) {
    if (rest_size < size) {
      chunks.reserve(chunks.size() + 1);
      void* fresh = std::malloc(chunk);
      if (fresh == nullptr) throw std::bad_alloc();
      chunks.push_back(fresh);
      rest = static_cast<std::byte*>(fresh);
      rest_size = chunk;
    }
    rest_size -= size;
    return rest + rest_size;
  }
};

}  // namespace

Memory::Memory() : heap_(new Heap), most_kept_(std::numeric_limits<std::uint32_t>::max()) {}

Memory::~Memory() {
  auto* heap = static_cast<Heap*>(heap_);
  if (heap == nullptr) return;
  for (void* memory : heap->chunks) std::free(memory);
  delete heap;
}

void Memory::leak() noexcept {
  heap_ = nullptr;
}

void* Memory::take_fresh(std::size_t size) {
  if (size <= largest) return static_cast<Heap*>(heap_)->carve(size);
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Memory::give_back_fresh(void* memory, std::size_t size) noexcept {
  if (size > largest) std::free(memory);  // all others go with their chunks
}

}  // namespace jumpcut::impl
