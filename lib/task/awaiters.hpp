// Who waits for whom.

#pragma once

#include <jumpcut/impl/future_base.hpp>

#include <vector>

namespace jumpcut::impl {

/// The tasks that go on when the future is done, and the futures that depend on it, a gather's
/// among them; in the order in which they came.
std::vector<FutureBase*> awaiters_of(const FutureBase& future);

}  // namespace jumpcut::impl
