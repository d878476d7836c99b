// How a loop ends its tasks.

#pragma once

#include <chrono>

namespace jumpcut::impl {

class LoopState;

/// In a task: cancels all others and waits until they are done, for at most that long. Their errors
/// go to the exception handler.
void cancel_all_tasks(LoopState& loop, std::chrono::nanoseconds longest);

}  // namespace jumpcut::impl
