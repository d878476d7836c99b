#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <cstddef>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

/// A future's state with the place for its value.
template <class Base, class T>
class Valued : public Base {
 public:
  template <class... Arguments>
  explicit Valued(Arguments&&... arguments) : Base(std::forward<Arguments>(arguments)...) {
    static_assert(sizeof(Base) < FutureBase::slot_step * 255);
    // A number, or the compiler does not see that it can write the flags as one word. A future is
    // the first base of whatever is one, so the offset is as good as in a standard layout.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
    this->slot_ = offsetof(Valued, value_) / FutureBase::slot_step;
#pragma GCC diagnostic pop
  }

 protected:
  ~Valued() = default;

  alignas(FutureBase::slot_step) alignas(T) std::optional<T> value_;
};

template <class Base>
class Valued<Base, void> : public Base {
 public:
  using Base::Base;

 protected:
  ~Valued() = default;
};

/// A future that somebody sets.
template <class T>
class FutureState final : public Valued<FutureBase, T> {
 public:
  explicit FutureState(TaskSpace& space) : Valued<FutureBase, T>(space) {
    this->plain_ = is_plain();
  }

  static FutureState& make(TaskSpace& space) {
    return *new (space.take(size())) FutureState(space);
  }

 private:
  static constexpr bool is_plain() {
    return sizeof(FutureState) <= FutureBase::plain_size &&
           (std::is_void_v<T> || std::is_trivially_destructible_v<T>);
  }
  static constexpr std::size_t size() {
    return is_plain() ? FutureBase::plain_size : sizeof(FutureState);
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    this->~FutureState();
    space.give_back(this, size());
  }
  ~FutureState() = default;
};

/// A task that runs `function`, which is kept until it has returned.
template <class Function, class T>
class TaskOf final : public Valued<TaskBase, T> {
 public:
  template <class F>
  TaskOf(TaskSpace& space, F&& function)
      : Valued<TaskBase, T>(space), function_(std::forward<F>(function)) {}

  /// Reference for the caller included.
  template <class F>
  [[gnu::always_inline]] static TaskOf& make(TaskSpace& space, F&& function,
                                             const TaskRequest& request) {
    static_assert(alignof(TaskOf) <= alignof(std::max_align_t), "an over-aligned function object");
    // Looked at first, while the compiler knows what the caller put there.
    const bool plain = request.is_plain();
    const bool eager = request.eager;
    void* memory = space.take(sizeof(TaskOf));
    TaskOf* task;
    try {
      task = new (memory) TaskOf(space, std::forward<F>(function));
    } catch (...) {
      space.give_back(memory, sizeof(TaskOf));
      throw;
    }
    Ref<TaskOf> ref = Ref<TaskOf>::adopt(*task);
    task->pool = SchedulerDoor::usual_pool(*space.core);
    if (!plain) [[unlikely]]
      task->equip(request);
    task->submit(eager);
    return ref.release();
  }

  void run() override {
    if (!this->begin()) return;
    try {
      if constexpr (std::is_void_v<T>) {
        function_();
      } else {
        this->value_.emplace(function_());
      }
    } catch (const Cancelled&) {
      drop_function();
      return this->end_cancelled();
    } catch (...) {
      drop_function();
      return this->end_failed();
    }
    drop_function();
    this->end_well();
  }

 private:
  friend class Ref<TaskOf>;

  void drop_function() noexcept override {
    if (!this->has_function_) return;
    this->has_function_ = false;
    function_.~Function();
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    if (!(std::is_void_v<T> || std::is_trivially_destructible_v<T>) || this->holds_something()) {
      this->drop_extras();
      this->~TaskOf();
    }
    space.give_back(this, sizeof(TaskOf));
  }
  ~TaskOf() { drop_function(); }

  union {
    Function function_;
  };
};

}  // namespace jumpcut::impl
