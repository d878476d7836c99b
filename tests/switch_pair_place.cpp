#include "context/first_frame.hpp"
#include "switch_pair.hpp"

namespace pair {

std::vector<Variant>& variants() {
  static std::vector<Variant> all;
  return all;
}

void place(Sides& sides, const Variant& far, std::byte* stack, std::size_t size) {
  auto top = reinterpret_cast<std::uintptr_t>(stack + size);
  jumpcut::impl::place_first_frame(sides.far, stack + (size - top % 16), far.far, &sides,
                                   jumpcut::impl::jumpcut_control());
}

}  // namespace pair
