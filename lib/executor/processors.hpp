// The processors that this process may run on, which are fewer than there are in a container.

#pragma once

#include <vector>

namespace jumpcut::impl {

/// Their numbers; at least one.
std::vector<int> usable_processors();

}  // namespace jumpcut::impl
