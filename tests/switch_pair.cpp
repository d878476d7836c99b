#include "switch_pair.hpp"

#if defined(__x86_64__)
#include "x86_64.hpp"  // from asm/, whichever form the library was built with
#else
#include "called.hpp"
#endif

// The tests find these functions by their addresses: no clone may stand in for one.
#ifdef __clang__
#define WHOLE [[gnu::noinline]]
#else
#define WHOLE [[gnu::noipa]]
#endif

#define NO_TAIL_CALL asm volatile("" : : : "memory")

namespace pair::PAIR_VARIANT {

namespace {

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

template <bool inlined>
[[gnu::always_inline]] inline void switch_by(jumpcut::impl::Saved& from, jumpcut::impl::Saved& to) {
  if constexpr (inlined) {
    jumpcut::impl::switch_inlined(from, to, nullptr);
  } else {
    jumpcut::impl::jumpcut_switch(&from, &to, nullptr);
  }
}

template <bool inlined>
WHOLE void near_switch(Sides& sides) {
  switch_by<inlined>(sides.near, sides.far);
  ++sides.round_trips;
}

template <bool inlined>
WHOLE void far_switch(Sides& sides) {
  switch_by<inlined>(sides.far, sides.near);
  NO_TAIL_CALL;
}

template <bool inlined>
WHOLE void near(Sides& sides) {
  if (sides.begin != nullptr) sides.begin();
  while (!sides.stop.load(std::memory_order_relaxed) && sides.round_trips < sides.limit) {
    near_switch<inlined>(sides);
  }
  if (sides.end != nullptr) sides.end();
  NO_TAIL_CALL;
}

template <bool inlined>
WHOLE void far(void* argument, void*) {
  for (;;) far_switch<inlined>(*static_cast<Sides*>(argument));
}

template <bool inlined>
Variant variant(const char* name) {
  return {name, inlined, near<inlined>, far<inlined>, near_switch<inlined>, far_switch<inlined>};
}

const Register called(variant<false>(TEXT(PAIR_VARIANT) " called"));
#if defined(__x86_64__)
const Register inlined(variant<true>(TEXT(PAIR_VARIANT) " inlined"));
#endif

}  // namespace

}  // namespace pair::PAIR_VARIANT
