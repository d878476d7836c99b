#include "executor/start_thread.hpp"

#include <jumpcut/error.hpp>

#include <system_error>
#include <utility>

#include <pthread.h>

namespace jumpcut::impl {

std::thread start_thread(const char* call, const char* whom, const std::string& name,
                         std::function<void()> run) {
  constexpr std::size_t longest_name = 15;
  const std::string short_name = name.substr(0, longest_name);
  try {
    std::thread thread(std::move(run));
    pthread_setname_np(thread.native_handle(), short_name.c_str());
    return thread;
  } catch (const std::system_error& error) {
    throw ResourceError(
        "%s: no thread can be started for a %s (pthread_create: %s): the user may have as many as "
        "RLIMIT_NPROC allows (ulimit -u), or the container (pids.max)",
        call, whom, error.code().message().c_str());
  }
}

}  // namespace jumpcut::impl
