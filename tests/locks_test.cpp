// No lock is taken where fibers begin, switch and end.

#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>

#include <cstdio>
#include <mutex>

#include <dlfcn.h>
#include <pthread.h>

#include <catch2/catch.hpp>

namespace {

std::size_t locks = 0;

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// The program's definitions come before libc's, for the libraries it is linked with too.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  ++locks;
  static auto* const real = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  return real(mutex);
}

extern "C" int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  ++locks;
  static auto* const real = next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  return real(lock);
}

TEST_CASE("beginning, switching and ending fibers takes no lock") {
  jumpcut::lowlevel::Scheduler scheduler;
  const auto round = [&] {
    for (int i = 0; i < 100; ++i) {
      scheduler.spawn([] { jumpcut::lowlevel::yield(); });
      scheduler.spawn([] {});
    }
    scheduler.run();
  };
  round();
  const std::size_t before = locks;
  round();
  CHECK(locks == before);

  std::mutex mutex;  // so that the test can fail
  mutex.lock();
  mutex.unlock();
  CHECK(locks > before);
}
