// Starts the threads that programs see: those of pools.

#pragma once

#include <functional>
#include <string>
#include <thread>

namespace jumpcut::impl {

/// A thread that is called `name`, as far as the system keeps names. `call` wants it for `whom`.
/// Throws ResourceError if there can be none.
std::thread start_thread(const char* call, const char* whom, const std::string& name,
                         std::function<void()> run);

}  // namespace jumpcut::impl
