#include "base/forks.hpp"

#include <pthread.h>

namespace jumpcut::impl {

constinit std::uint32_t forks = 0;

namespace {

const int counted = pthread_atfork(nullptr, nullptr, [] { ++forks; });

}  // namespace

}  // namespace jumpcut::impl
