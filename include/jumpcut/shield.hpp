#pragma once

#include <jumpcut/impl/children.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {

/// The untyped half of the future that shield_future() returns.
class JUMPCUT_API ShieldBase : public FutureBase {
 public:
  void child_done(FutureBase& inner);
  void child_gone() noexcept { drop_ref(); }
  FutureBase* awaiter() noexcept { return this; }
  const char* what() const noexcept override { return "shield()"; }

 protected:
  explicit ShieldBase(TaskSpace& space) noexcept : FutureBase(space), own_(*this) {}
  ~ShieldBase() = default;

  void watch(FutureBase& inner);
  /// Takes over what the inner one ended with.
  virtual void copy_value(FutureBase& inner) = 0;

 private:
  /// A tick after it is cancelled, it takes no notice of the inner one any more.
  class OwnEnd final : public DoneCallback {
   public:
    explicit OwnEnd(ShieldBase& shield) noexcept : shield_(shield) {}
    ~OwnEnd() = default;
    void run() override { shield_.inner_.forget(); }
    void dispose() noexcept override { shield_.drop_ref(); }

   private:
    ShieldBase& shield_;
  };

  Child<ShieldBase> inner_;
  OwnEnd own_;
};

template <class T>
class ShieldOf final : public Valued<ShieldBase, T> {
 public:
  static Future<T> make(FutureBase& inner) {
    TaskSpace& space = inner.space();
    auto& shield = *new (space.take(sizeof(ShieldOf))) ShieldOf(space);
    const auto held = Ref<FutureBase>::adopt(shield);
    shield.watch(inner);
    return Future<T>(held);
  }

 private:
  explicit ShieldOf(TaskSpace& space) noexcept : Valued<ShieldBase, T>(space) {}
  ~ShieldOf() = default;

  void copy_value(FutureBase& inner) override {
    if constexpr (!std::is_void_v<T>) {
      auto& value = *static_cast<std::optional<T>*>(inner.slot());
      if constexpr (is_copyable<T>) {
        if (inner.references() > 1) {  // the queue's
          this->value_.emplace(*value);
          return;
        }
      }
      this->value_.emplace(take_value<T>(value));
    }
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    this->~ShieldOf();
    space.give_back(this, sizeof(ShieldOf));
  }
};

}  // namespace impl

/// The future that shield() waits for: a new one that ends as the task or future does, or is
/// cancelled alone. One that is done is returned as it is.
template <impl::Awaits X>
Future<impl::AwaitedValue<X>> shield_future(X&& argument) {
  using T = impl::AwaitedValue<X>;
  impl::TaskSpace& space = impl::space_of(argument, "shield");
  const auto inner = impl::to_future(space, "shield", std::forward<X>(argument));
  if (inner->is_done()) return Future<T>(inner);
  return impl::ShieldOf<T>::make(*inner);
}

/// Waits for the task or future, and keeps the caller's cancellation from it: asyncio.shield. A
/// callable is made a task. Returns its value or throws its error; at once, and without switching,
/// if it is done. Throws Cancelled if it is cancelled; also if the caller is, and then it goes on,
/// and an error that it ends with is reported unless somebody else takes it. Throws RuntimeError
/// outside a task and for another loop's future.
template <impl::Awaits X>
impl::AwaitedValue<X> shield(X&& argument) {
  impl::TaskBase::running("shield");
  return await(shield_future(std::forward<X>(argument)));
}

}  // namespace jumpcut
