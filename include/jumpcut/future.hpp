#pragma once

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/impl/handle_state.hpp>
#include <jumpcut/impl/typed_states.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// What add_done_callback() returns, for remove_done_callback().
enum class DoneToken : std::uintptr_t {};

/// A reference to a future or task of any type, or to none. Copies refer to the same one. Like the
/// future itself, it belongs to its loop's thread.
class JUMPCUT_API AnyFuture {
 public:
  /// None.
  AnyFuture() noexcept = default;
  explicit AnyFuture(impl::Ref<impl::FutureBase> state) noexcept : state_(std::move(state)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(state_); }
  /// Whether they are the same future.
  friend bool operator==(const AnyFuture&, const AnyFuture&) = default;

  bool done() const { return base("done").is_done(); }
  bool cancelled() const { return base("cancelled").is_cancelled(); }

  /// Cancels it; returns false if it was done. A task is told to end: what it waits for throws
  /// Cancelled there. The message travels with the exception.
  bool cancel(impl::SourceLocation where = impl::SourceLocation::current()) const {
    return request_cancel(nullptr, where);
  }
  bool cancel(std::string message,
              impl::SourceLocation where = impl::SourceLocation::current()) const {
    return request_cancel(&message, where);
  }

  /// What it failed with, or null. Throws Cancelled if it was cancelled, InvalidStateError if it is
  /// not done.
  std::exception_ptr exception() const { return base("exception").exception(); }

  /// Has function(future), or function(), called by the loop once it is done, in the order in which
  /// callbacks and awaiting tasks came; if it is done already, in the next tick. Context variables
  /// are those of now. Exceptions go to the loop's exception handler.
  template <class Function>
  DoneToken add_done_callback(Function&& function) const {
    return add_callback<AnyFuture>(std::forward<Function>(function));
  }
  /// True if it was there and will not be called.
  bool remove_done_callback(DoneToken token) const;

  impl::FutureBase& base(const char* call) const {
    if (!state_) [[unlikely]]
      impl::throw_no_future(call);
    return *state_;
  }
  const impl::Ref<impl::FutureBase>& ref() const noexcept { return state_; }

 protected:
  template <class Handle, class Function>
  DoneToken add_callback(Function&& function) const;
  bool request_cancel(std::string* message, const impl::SourceLocation& where) const;

  impl::Ref<impl::FutureBase> state_;
};

/// A value that comes later: asyncio.Future. Copies refer to the same one.
template <class T = void>
class Future : public AnyFuture {
 public:
  using value_type = T;
  static_assert(!std::is_reference_v<T>, "a future holds values; use a pointer");

  /// A pending one of the running loop. Throws RuntimeError where no loop runs.
  Future()
      : AnyFuture(impl::Ref<impl::FutureBase>::adopt(
            impl::FutureState<T>::make(impl::running_space("Future")))) {}
  /// None, to be assigned to.
  explicit Future(std::nullptr_t) noexcept {}
  explicit Future(impl::Ref<impl::FutureBase> state) noexcept : AnyFuture(std::move(state)) {}

  /// The value of one that is done. Throws what it failed with, Cancelled, or InvalidStateError if
  /// it is not done.
  T result() const {
    impl::FutureBase& future = base("result");
    future.get();
    if constexpr (!std::is_void_v<T>) return copy_value(future);
  }

  /// Ends it with a value: whoever waits becomes ready, callbacks are enqueued, nothing runs before
  /// this returns. Throws InvalidStateError if it is done, RuntimeError for a task, on another
  /// thread, and after the loop's end.
  template <class Value = T>
  requires(!std::is_void_v<T>) void set_result(Value&& value) const {
    impl::FutureBase& future = base("set_result");
    impl::Core& core = future.check_can_be_set("set_result");
    static_cast<std::optional<T>*>(future.slot())->emplace(std::forward<Value>(value));
    if constexpr (std::is_trivially_constructible_v<T, Value&&>) {
      future.finish(core);
    } else {
      future.finish();  // who knows what its constructor did
    }
  }
  void set_result() const requires std::is_void_v<T> {
    impl::FutureBase& future = base("set_result");
    future.finish(future.check_can_be_set("set_result"));
  }

  /// Ends it with an error. Throws as set_result() does, ValueError for a null pointer, and
  /// RuntimeError for Cancelled: call cancel() instead.
  void set_exception(std::exception_ptr error) const {
    impl::FutureBase& future = base("set_exception");
    future.check_can_be_set("set_exception");
    future.fail(std::move(error));
  }
  template <class Error>
  requires(!std::is_convertible_v<Error, std::exception_ptr>) void set_exception(
      Error&& error) const {
    set_exception(std::make_exception_ptr(std::forward<Error>(error)));
  }

  template <class Function>
  DoneToken add_done_callback(Function&& function) const {
    return add_callback<Future<T>>(std::forward<Function>(function));
  }

 private:
  static T copy_value(impl::FutureBase& future) {
    auto& value = *static_cast<std::optional<T>*>(future.slot());
    if constexpr (impl::is_copyable<T>) {
      return *value;
    } else {
      return impl::take_value<T>(value);
    }
  }
  template <class U>
  friend U await(Future<U>&& future);
};

namespace impl {

/// Waits for the future, and returns its value or throws its error. A value that can't be copied
/// is moved out: the second who asks gets InvalidStateError.
template <class T>
[[gnu::always_inline]] inline T await_value(FutureBase& future, bool last) {
  // The last handle may go while this waits, or by what T's constructor does.
  constexpr bool inert = std::is_void_v<T> || std::is_trivially_copyable_v<T>;
  if constexpr (!inert) future.add_ref();
  struct Held {
    FutureBase& future;
    ~Held() {
      if constexpr (inert) {
        future.let_go_if_unheld();
      } else {
        future.drop_ref();
      }
    }
  } held{future};
  TaskBase::wait_until_done(future, "await");
  future.get();
  if constexpr (!std::is_void_v<T>) {
    auto& value = *static_cast<std::optional<T>*>(future.slot());
    if constexpr (impl::is_copyable<T>) {
      if (!last || future.references() > (inert ? 1u : 2u)) return *value;
    }
    return take_value<T>(value);
  }
}

}  // namespace impl

/// Waits until the future or task is done: returns its value, or throws what it failed with, or
/// Cancelled if either is cancelled. At once, and without switching, if it is done already. Throws
/// RuntimeError outside a task, in the awaited task itself, and for another loop's future.
template <class T>
[[gnu::always_inline]] inline T await(const Future<T>& future) {
  return impl::await_value<T>(future.base("await"), false);
}
template <class T>
[[gnu::always_inline]] inline T await(Future<T>&& future) {
  return impl::await_value<T>(future.base("await"), true);
}

/// Waits for anything that has a jumpcut_await(x), found by argument-dependent lookup: what it
/// returns is the value.
template <class Awaitable>
requires requires(Awaitable&& x) {
  jumpcut_await(std::forward<Awaitable>(x));
}
decltype(auto) await(Awaitable&& x) {
  return jumpcut_await(std::forward<Awaitable>(x));
}

template <class Handle, class Function>
DoneToken AnyFuture::add_callback(Function&& function) const {
  using Kept = std::decay_t<Function>;
  impl::refuse_null(function, "add_done_callback");
  class Call final : public impl::DoneHandle {
   public:
    Call(impl::FutureBase& future, Function&& kept)
        : DoneHandle(future), function_(std::forward<Function>(kept)) {}

   private:
    void call(impl::FutureBase& future) override {
      if constexpr (std::is_invocable_v<Kept&, Handle>) {
        function_(Handle(impl::Ref<impl::FutureBase>(&future)));
      } else {
        function_();
      }
    }
    std::size_t size() const noexcept override { return sizeof(Call); }

    Kept function_;
  };
  impl::FutureBase& future = base("add_done_callback");
  return static_cast<DoneToken>(impl::DoneHandle::add(
      future,
      [&](void* memory) -> impl::DoneHandle& {
        return *new (memory) Call(future, std::forward<Function>(function));
      },
      sizeof(Call)));
}

}  // namespace jumpcut
