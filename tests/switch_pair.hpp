// Two sides that switch to each other, three known functions deep, for tests that interrupt them.
// switch_pair.cpp is compiled several times, each time with other options and a PAIR_VARIANT.

#pragma once

#include <jumpcut/impl/saved.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace pair {

struct Sides {
  jumpcut::impl::Saved near{};
  jumpcut::impl::Saved far{};
  std::atomic<bool> stop = false;
  std::uint64_t round_trips = 0;
  std::uint64_t limit = ~std::uint64_t{0};
  void (*begin)() = nullptr;  // called by near's outermost function, when all callers are in place
  void (*end)() = nullptr;
};

struct Variant {
  const char* name;
  bool inlined;
  void (*near)(Sides&);         // outermost; returns after `limit` round trips or `stop`
  void (*far)(void*, void*);    // outermost; an entry function, of a Sides*
  void (*near_switch)(Sides&);  // the functions that switch
  void (*far_switch)(Sides&);
};

std::vector<Variant>& variants();

struct Register {
  explicit Register(const Variant& variant) { variants().push_back(variant); }
};

/// A fresh far side on a stack of `size` bytes.
void place(Sides& sides, const Variant& far, std::byte* stack, std::size_t size);

}  // namespace pair
