#pragma once

#include <jumpcut/impl/children.hpp>
#include <jumpcut/result.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <iterator>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace jumpcut::impl {

class GatherBase;

/// One of the futures that a gather waits for.
struct GatherChild {
  Ref<FutureBase> future;
  Child<GatherBase> link = {};  // not used if it was done before gather was called
};

/// The untyped half of the future that gather_future() returns. It holds its children, and the
/// children that it waits for keep it going; but not for good: once nobody can ask it for their
/// values, because it failed or has no handle any more, it lets them be.
class JUMPCUT_API GatherBase : public FutureBase {
 public:
  /// Cancels the children; it is cancelled when they let it be.
  bool cancel(const std::exception_ptr& cancelled) override;
  void child_done(FutureBase& child) {
    if (done_ + 1 < count_ && child.is_well() && !is_done()) {
      ++done_;
    } else {
      child_said(child);
    }
  }
  void child_gone() noexcept {
    if (--waited_for_ == 0) [[unlikely]]
      no_child_left();
  }
  FutureBase* awaiter() noexcept { return this; }
  const char* what() const noexcept override { return "gather()"; }

 protected:
  /// `children` is room for so many: each is made when it is added, so that what is written is
  /// written once while it is at hand.
  GatherBase(TaskSpace& space, bool results, void* children, std::size_t count) noexcept
      : FutureBase(space),
        children_(static_cast<GatherChild*>(children)),
        count_(count),
        results_(results) {
    watched_ = true;
  }
  ~GatherBase() = default;

  std::size_t count() const noexcept { return count_; }
  /// While the room is still there.
  void destroy_children() noexcept {
    for (std::size_t i = 0; i < added_; ++i) children_[i].~GatherChild();
  }
  /// The next one. Throws ValueError if it belongs to another loop.
  [[gnu::always_inline]] void add(Ref<FutureBase>&& future) {
    FutureBase& base = *future;
    check_same_loop(*space_, base, "gather");
    auto& child = *new (children_ + added_++) GatherChild{std::move(future)};
    if (base.is_done()) {
      any_was_done_ = true;
    } else {
      child.link.watch(base, *this);
      ++waited_for_;
    }
  }
  /// After the last one: takes notice of those that were done.
  void begin();
  /// It will not begin.
  void abandon() noexcept;

  /// All are done, and have values unless errors count as such: stores the values.
  virtual void collect() = 0;
  /// What child `index` ended with. Moved, if nobody else could ask for it.
  template <class T>
  T take(std::size_t index);
  template <class T>
  Result<T> take_result(std::size_t index);

 private:
  void child_said(FutureBase& child);
  void count_in(FutureBase& child);
  void no_child_left() noexcept;
  void release_children() noexcept;
  void last_handle_dropped() noexcept override;
  std::exception_ptr last_cancelled() const;

  GatherChild* const children_;
  const std::size_t count_;
  std::size_t added_ = 0;
  std::size_t done_ = 0;
  std::size_t waited_for_ = 0;           // those that refer to it
  const FutureBase* telling_ = nullptr;  // the child whose turn it is: held once more
  std::exception_ptr cancelled_;         // what cancel() brought, if a child took it
  bool any_was_done_ = false;
  bool released_ = false;  // it has no children any more, only some to wait for
  const bool results_;     // errors count as values
};

template <class T>
T GatherBase::take(std::size_t index) {
  FutureBase& child = *children_[index].future;
  if constexpr (std::is_void_v<T>) {
    static_cast<void>(child);
  } else {
    auto& value = *static_cast<std::optional<T>*>(child.slot());
    if constexpr (is_copyable<T>) {
      if (child.references() > (&child == telling_ ? 2u : 1u)) return *value;
    }
    return take_value<T>(value);
  }
}

template <class T>
Result<T> GatherBase::take_result(std::size_t index) {
  FutureBase& child = *children_[index].future;
  if (child.is_cancelled()) return Result<T>::failed(child.cancelled_again());
  if (std::exception_ptr error = child.exception()) return Result<T>::failed(std::move(error));
  if constexpr (std::is_void_v<T>) {
    return Result<void>();
  } else {
    return Result<T>(take<T>(index));
  }
}

/// What stands for a child's value.
template <bool results, class T>
using Gathered = std::conditional_t<results, Result<T>,
                                    std::conditional_t<std::is_void_v<T>, std::monostate, T>>;

template <bool results, class... T>
using GatheredTuple =
    std::conditional_t<!results && sizeof...(T) != 0 && (std::is_void_v<T> && ...), void,
                       std::tuple<Gathered<results, T>...>>;

template <bool results, class T>
using GatheredVector =
    std::conditional_t<!results && std::is_void_v<T>, void, std::vector<Gathered<results, T>>>;

/// Of arguments.
template <bool results, class... T>
class GatherTuple final : public Valued<GatherBase, GatheredTuple<results, T...>> {
  using Value = GatheredTuple<results, T...>;

 public:
  template <class... X>
  static Future<Value> make(TaskSpace& space, [[maybe_unused]] const char* call, X&&... arguments) {
    auto& gather = *new (space.take(sizeof(GatherTuple))) GatherTuple(space);
    const auto held = Ref<FutureBase>::adopt(gather);
    try {
      (gather.add(to_future(space, call, std::forward<X>(arguments))), ...);
    } catch (...) {
      gather.abandon();
      throw;
    }
    gather.begin();
    return Future<Value>(held);
  }

 private:
  explicit GatherTuple(TaskSpace& space) noexcept
      : Valued<GatherBase, Value>(space, results, &room_, sizeof...(T)) {}
  ~GatherTuple() { this->destroy_children(); }

  template <class U>
  Gathered<results, U> taken(std::size_t index) {
    if constexpr (results) {
      return this->template take_result<U>(index);
    } else if constexpr (std::is_void_v<U>) {
      return {};
    } else {
      return this->template take<U>(index);
    }
  }
  template <std::size_t... index>
  void collect_all(std::index_sequence<index...>) {
    this->value_.emplace(Value{taken<T>(index)...});
  }
  void collect() override {
    if constexpr (!std::is_void_v<Value>) collect_all(std::index_sequence_for<T...>());
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    this->~GatherTuple();
    space.give_back(this, sizeof(GatherTuple));
  }

  alignas(GatherChild) std::array<std::byte, sizeof...(T) * sizeof(GatherChild)> room_;
};

/// Of a range; its children lie behind it in the same memory.
template <bool results, class T>
class GatherRange final : public Valued<GatherBase, GatheredVector<results, T>> {
  using Value = GatheredVector<results, T>;

 public:
  template <class R>
  static Future<Value> make(TaskSpace& space, const char* call, R&& range) {
    const auto count = static_cast<std::size_t>(std::distance(std::begin(range), std::end(range)));
    auto& gather = *new (space.take(size_of(count))) GatherRange(space, count);
    const auto held = Ref<FutureBase>::adopt(gather);
    try {
      consume(std::forward<R>(range), [&](auto&& element) {
        gather.add(to_future(space, call, std::forward<decltype(element)>(element)));
      });
    } catch (...) {
      gather.abandon();
      throw;
    }
    gather.begin();
    return Future<Value>(held);
  }

 private:
  static_assert(alignof(GatherChild) <= alignof(FutureBase));

  GatherRange(TaskSpace& space, std::size_t count) noexcept
      : Valued<GatherBase, Value>(space, results, this + 1, count) {}
  ~GatherRange() { this->destroy_children(); }

  static std::size_t size_of(std::size_t count) noexcept {
    return sizeof(GatherRange) + count * sizeof(GatherChild);
  }
  void collect() override {
    if constexpr (!std::is_void_v<Value>) {
      auto& values = this->value_.emplace();
      values.reserve(this->count());
      for (std::size_t i = 0; i < this->count(); ++i) {
        if constexpr (results) {
          values.push_back(this->template take_result<T>(i));
        } else {
          values.push_back(this->template take<T>(i));
        }
      }
    }
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    const std::size_t bytes = size_of(this->count());
    this->~GatherRange();
    space.give_back(this, bytes);
  }
};

template <bool results, class... X>
auto gather_arguments(const char* call, X&&... arguments) {
  if constexpr (sizeof...(X) == 0) {
    return GatherTuple<results>::make(running_space(call), call);
  } else {
    const auto& first = std::get<0>(std::tie(arguments...));
    return GatherTuple<results, AwaitedValue<X>...>::make(space_of(first, call), call,
                                                          std::forward<X>(arguments)...);
  }
}

template <bool results, class R>
auto gather_range(const char* call, R&& range) {
  using Value = AwaitedValue<RangeElement<R>>;
  const auto first = std::begin(range);
  TaskSpace& space = first == std::end(range) ? running_space(call) : space_of(*first, call);
  return GatherRange<results, Value>::make(space, call, std::forward<R>(range));
}

}  // namespace jumpcut::impl
