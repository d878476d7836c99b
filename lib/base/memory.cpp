#include <jumpcut/impl/memory.hpp>

#include <algorithm>

namespace jumpcut::impl {

/// Nothing lies on it then.
void Memory::Shelf::make_room(std::size_t most) {
  const auto room = static_cast<std::size_t>(end - bottom);
  if (room >= most || fresh < room) return;
  constexpr std::size_t least = 16;
  const std::size_t more = std::min(std::max(2 * room, least), most);
  slots.reset(new void*[ahead + more]);
  std::fill_n(slots.get(), ahead, slots.get());
  top = bottom = slots.get() + ahead;
  end = bottom + more;
}

void Memory::retire() noexcept {
  most_kept_ = 0;
  // What lies on the shelves goes with the heap.
  for (Shelf& shelf : shelves_) {
    outside_ -= shelf.count();
    shelf.top = shelf.end = shelf.bottom;
  }
}

void* Memory::take_aside(std::size_t size) {
  if (size <= largest) shelf_of(size).make_room(most_kept_);
  void* memory = take_fresh(rounded(size));
  if (size <= largest) ++shelf_of(size).fresh;
  ++outside_;
  return memory;
}

void Memory::give_back_aside(void* memory, std::size_t size) noexcept {
  if (size <= largest) --shelf_of(size).fresh;
  --outside_;
  give_back_fresh(memory, rounded(size));
}

}  // namespace jumpcut::impl
