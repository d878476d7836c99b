#pragma once

#include <jumpcut/future.hpp>
#include <jumpcut/impl/future_base.hpp>
#include <jumpcut/task.hpp>

#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut::impl {

/// Tells its owner when a future is done: Owner, which waits for several futures or is one that
/// depends on others, has child_done(future), in the child's turn in the ready queue; child_gone(),
/// when one child does not refer to it any more; and awaiter(), see DoneCallback. Lives in its
/// owner's memory, which therefore stays until child_gone(). Does not hold the future.
template <class Owner>
class Child final : public DoneCallback {
 public:
  Child() noexcept = default;
  ~Child() = default;

  /// Once. Throws what FutureBase::listen() throws; child_gone() is then not called.
  void watch(FutureBase& future, Owner& owner) {
    future_ = &future;
    owner_ = &owner;
    future.listen(*this);
  }
  /// watch() was called.
  bool is_used() const noexcept { return owner_ != nullptr; }
  /// The owner need not be told, unless the child is done and its turn is about to come.
  void forget() noexcept {
    if (!is_listed()) return;
    future_->forget(*this);
    owner_->child_gone();
  }
  void run() override { owner_->child_done(*future_); }
  void dispose() noexcept override {
    FutureBase& future = *future_;
    owner_->child_gone();
    future.drop_ref();
  }
  FutureBase* awaiter() noexcept override { return owner_->awaiter(); }

 private:
  FutureBase* future_ = nullptr;
  Owner* owner_ = nullptr;
};

/// Each once, where it came first.
JUMPCUT_API std::vector<Ref<FutureBase>> distinct(std::vector<Ref<FutureBase>> futures);
[[noreturn]] JUMPCUT_API void throw_other_loop(const FutureBase& future, const char* call);
/// Throws ValueError if the future belongs to another loop.
inline void check_same_loop(const TaskSpace& space, const FutureBase& future, const char* call) {
  if (&future.space() != &space) [[unlikely]]
    throw_other_loop(future, call);
}

template <class X>
concept FutureHandle = std::is_base_of_v<AnyFuture, std::remove_cvref_t<X>>;

/// A future or task, or a callable, which is made a task.
template <class X>
concept Awaits = FutureHandle<X> || std::is_invocable_v < std::decay_t<X>
& > ;

template <class X>
concept Range = !FutureHandle<X> && requires(std::remove_reference_t<X> & range) {
  std::begin(range);
  std::end(range);
};

template <class R>
using RangeElement = decltype(*std::begin(std::declval<std::remove_reference_t<R>&>()));

template <class X>
struct HandleOf {
  using type = Task<TaskResult<X>>;
};
template <FutureHandle X>
struct HandleOf<X> {
  using type = std::remove_cvref_t<X>;
};
template <class Handle>
struct ValueOf {
  using type = void;  // of an AnyFuture
};
template <class Handle>
requires requires {
  typename Handle::value_type;
}
struct ValueOf<Handle> {
  using type = typename Handle::value_type;
};

/// The handle that an argument is, or is made.
template <class X>
using AwaitedHandle = typename HandleOf<X>::type;
/// What awaiting it gives.
template <class X>
using AwaitedValue = typename ValueOf<AwaitedHandle<X>>::type;

template <Awaits X>
TaskSpace& space_of(const X& argument, const char* call) {
  if constexpr (FutureHandle<X>) {
    return argument.base(call).space();
  } else {
    return running_space(call);
  }
}

/// Its state; makes a task of what is none.
template <Awaits X>
Ref<FutureBase> to_future(TaskSpace& space, const char* call, X&& argument) {
  if constexpr (FutureHandle<X>) {
    argument.base(call);
    return argument.ref();
  } else {
    return make_task(space, call, std::forward<X>(argument), {}).ref();
  }
}

/// A handle for the state of one that was there before.
template <class Handle>
Handle handle_of(const Ref<FutureBase>& future) {
  if constexpr (std::is_constructible_v<Handle, const Ref<FutureBase>&>) {
    return Handle(future);
  } else {
    return Handle(static_cast<TaskBase*>(future.get()));
  }
}

/// Calls function(element) for each, which may be moved from if the range owns them and is about to
/// go.
template <class R, class Function>
void consume(R&& range, Function&& function) {
  using Plain = std::remove_cvref_t<R>;
  for (auto&& element : range) {
    if constexpr (!std::is_lvalue_reference_v<R> && requires { typename Plain::allocator_type; }) {
      function(std::move(element));
    } else {
      function(std::forward<decltype(element)>(element));
    }
  }
}

}  // namespace jumpcut::impl
