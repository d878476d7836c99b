// Code that keeps many values alive across a switch. switch_live.cpp is compiled several
// times, each time with other options and a LIVE_VARIANT of its own; switch_live_test.cpp runs all.

#pragma once

#include <jumpcut/impl/saved.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace live {

enum class Form { called, inlined };

struct Pair {
  jumpcut::impl::Saved near{};
  jumpcut::impl::Saved far{};
  std::string failure;  // the first value that was lost, on either side
};

/// One round of every function in a variant. Each switches once or more, `from` here.
using Round = void (*)(Pair& pair, jumpcut::impl::Saved& from, jumpcut::impl::Saved& to,
                       std::uint64_t seed);

struct Variant {
  const char* name;
  Round called;
  Round inlined;
  bool (*supported)();
  /// Switches once, with the red zone in use; what was lost of it, or 0. The inlined form.
  std::uint64_t (*red_zone)(jumpcut::impl::Saved& from, jumpcut::impl::Saved& to, std::uint64_t);

  Round round(Form form) const { return form == Form::called ? called : inlined; }
};

/// All that are linked in.
std::vector<Variant>& variants();

struct Register {
  explicit Register(const Variant& variant) { variants().push_back(variant); }
};

/// `rounds` rounds of `near` in one form against `far` in another, each on a stack of its own.
/// Returns what was lost, or "".
std::string play(const Variant& near, Form near_form, const Variant& far, Form far_form,
                 std::uint64_t rounds, std::uint64_t seed);

}  // namespace live
