#pragma once

#include <jumpcut/impl/bindings.hpp>
#include <jumpcut/impl/future_base.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace jumpcut::impl {

[[noreturn]] JUMPCUT_API void throw_no_future(const char* call);
[[noreturn]] JUMPCUT_API void throw_value_taken();

/// Whether a T can be copied. Containers claim so even where what they hold can't.
template <class T>
struct IsCopyable : std::is_copy_constructible<T> {};
template <class T>
requires(!std::is_same_v<T, typename T::value_type>) struct IsCopyable<T>
    : std::bool_constant<std::is_copy_constructible_v<T> &&
                         IsCopyable<typename T::value_type>::value> {
};
template <class T>
inline constexpr bool is_copyable = IsCopyable<T>::value;

template <class T>
T take_value(std::optional<T>& value) {
  if (!value.has_value()) [[unlikely]]
    throw_value_taken();
  T taken = std::move(*value);
  value.reset();
  return taken;
}

/// Runs function(argument) as the loop runs callbacks: with this context, and what it throws goes
/// to the exception handler, with `what` in the message. `type` is what the function is kept in.
JUMPCUT_API void run_callback(TaskSpace& space, ContextCell& context, const char* what,
                              void (*function)(void*), void* argument,
                              const std::type_info& type = typeid(void)) noexcept;

/// A user's done-callback.
class JUMPCUT_API DoneHandle : public DoneCallback {
 public:
  explicit DoneHandle(FutureBase& future) noexcept : future_(future) {}

  /// Makes one by make(memory) and has it listen. Returns its number.
  template <class Make>
  static std::uintptr_t add(FutureBase& future, Make&& make, std::size_t size) {
    future.check_thread("add_done_callback");
    void* memory = future.space().take(size);
    DoneHandle* handle;
    try {
      handle = &make(memory);
    } catch (...) {
      future.space().give_back(memory, size);
      throw;
    }
    return listen(future, *handle);
  }
  void run() final;
  void dispose() noexcept final;

 protected:
  virtual ~DoneHandle() = default;
  virtual void call(FutureBase& future) = 0;
  virtual std::size_t size() const noexcept = 0;

 private:
  static std::uintptr_t listen(FutureBase& future, DoneHandle& handle);

  FutureBase& future_;
  ContextCell context_{current_context()};
};

}  // namespace jumpcut::impl
