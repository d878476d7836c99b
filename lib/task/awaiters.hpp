// Which tasks there are, and who waits for whom.

#pragma once

#include <jumpcut/impl/future_base.hpp>

#include <vector>

namespace jumpcut::impl {

/// Those that are not done, in the order in which they were created.
std::vector<TaskBase*> tasks_of(const TaskSpace& space);

/// The tasks that go on when the future is done, and the futures that depend on it, a gather's
/// among them; in the order in which they came.
std::vector<FutureBase*> awaiters_of(const FutureBase& future);

}  // namespace jumpcut::impl
