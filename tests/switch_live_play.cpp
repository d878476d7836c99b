#include "switch_live.hpp"

#include "context/first_frame.hpp"

#include <cstddef>
#include <memory>

namespace live {

namespace {

struct Play {
  Pair pair;
  Round far;
};

void far_side(void* argument, void*) {
  auto& play = *static_cast<Play*>(argument);
  for (std::uint64_t i = 1;; ++i) play.far(play.pair, play.pair.far, play.pair.near, ~i);
}

}  // namespace

std::vector<Variant>& variants() {
  static std::vector<Variant> all;
  return all;
}

std::string play(const Variant& near, Form near_form, const Variant& far, Form far_form,
                 std::uint64_t rounds, std::uint64_t seed) {
  constexpr std::size_t size = 256 * 1024;
  auto stack = std::make_unique<std::byte[]>(size);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + size);
  auto play = std::make_unique<Play>();
  play->far = far.round(far_form);
  jumpcut::impl::place_first_frame(play->pair.far, stack.get() + (size - top % 16), far_side,
                                   play.get(), jumpcut::impl::jumpcut_control());
  Pair& pair = play->pair;
  for (std::uint64_t i = 0; i < rounds && pair.failure.empty(); ++i) {
    near.round(near_form)(pair, pair.near, pair.far, seed + i);
  }
  return pair.failure;
}

}  // namespace live
