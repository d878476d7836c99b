// Memory for the static library, where mimalloc would take the whole program's malloc over: free
// lists by size, fed from malloc in chunks, and given back as a whole.

#include <jumpcut/impl/memory.hpp>

#include <array>
#include <cstdlib>
#include <new>
#include <vector>

namespace jumpcut::impl {

namespace {

constexpr std::size_t step = 32;  // sizes are rounded up to it
constexpr std::size_t largest = 512;
constexpr std::size_t chunk = 64 * 1024;

struct Free {
  Free* next;
};

struct Heap {
  std::array<Free*, largest / step> lists{};
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

Memory::Memory() : heap_(new Heap) {}

Memory::~Memory() {
  auto* heap = static_cast<Heap*>(heap_);
  if (heap == nullptr) return;
  for (void* memory : heap->chunks) std::free(memory);
  delete heap;
}

void Memory::leak() noexcept {
  heap_ = nullptr;
}

void* Memory::take(std::size_t size) {
  if (size > largest) {
    void* memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  auto* heap = static_cast<Heap*>(heap_);
  Free*& list = heap->lists[(size - 1) / step];
  if (list == nullptr) return heap->carve((size + step - 1) / step * step);
  Free* taken = list;
  list = taken->next;
  return taken;
}

void Memory::give_back(void* memory, std::size_t size) noexcept {
  if (size > largest) return std::free(memory);
  auto* heap = static_cast<Heap*>(heap_);
  Free*& list = heap->lists[(size - 1) / step];
  list = new (memory) Free{list};
}

}  // namespace jumpcut::impl
