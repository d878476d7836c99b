#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <memory>

namespace jumpcut {

namespace impl {

/// The untyped half of FiberLocal.
struct JUMPCUT_API FiberLocalKeys {
  static std::size_t fresh() noexcept;
  static void* find(std::size_t key);
  static void keep(std::size_t key, void* value, void (*destroy)(void*) noexcept);
};

}  // namespace impl

/// A variable of which each fiber has its own, as each thread has of a `thread_local`; what runs on
/// the thread's own stack (callbacks) shares one. Usually a static object; any number of threads
/// may use it.
template <class T>
class FiberLocal {
 public:
  FiberLocal() noexcept : key_(impl::FiberLocalKeys::fresh()) {}
  FiberLocal(const FiberLocal&) = delete;
  FiberLocal& operator=(const FiberLocal&) = delete;

  /// The running fiber's value: made by T() when the fiber first asks, destroyed on the fiber when
  /// its function has returned, the newest first; its destructor may park. Throws RuntimeError on a
  /// thread without a scheduler.
  T& get() {
    void* value = impl::FiberLocalKeys::find(key_);
    if (value == nullptr) {
      auto fresh = std::make_unique<T>();
      impl::FiberLocalKeys::keep(key_, fresh.get(),
                                 [](void* made) noexcept { delete static_cast<T*>(made); });
      value = fresh.release();
    }
    return *static_cast<T*>(value);
  }

  T& operator*() { return get(); }
  T* operator->() { return &get(); }

 private:
  std::size_t key_;
};

}  // namespace jumpcut
