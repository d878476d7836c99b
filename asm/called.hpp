// Where the inlined switch is not the chosen form, the called one takes its name. Meson installs
// this file as <jumpcut/impl/switch.hpp> then.

#pragma once

#include <jumpcut/impl/saved.hpp>

namespace jumpcut::impl {

/// Parks the caller in `from` and goes on at `to`; there, the message is returned.
inline Switched switch_inlined(Saved& from, Saved& to, void* message) noexcept {
  return {from, jumpcut_switch(&from, &to, message)};
}

}  // namespace jumpcut::impl
