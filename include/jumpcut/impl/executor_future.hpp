#pragma once

#include <jumpcut/impl/thread_state.hpp>
#include <jumpcut/impl/typed_states.hpp>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace jumpcut::impl {

class Arrival;

/// The untyped half of a loop's future of a job in an executor, or another loop's task. Its loop
/// holds a reference until the job is done.
class JUMPCUT_API ExecutorFutureBase : public FutureBase {
 public:
  /// Cancels it, and withdraws the job if that has not begun.
  bool cancel(const std::exception_ptr& cancelled) override;

  /// On its loop's thread: the job is done.
  void arrive();
  /// The loop ends, and nothing will arrive.
  void abandon() noexcept;
  const char* what() const noexcept override { return "a call in an executor"; }

  ExecutorFutureBase* next = nullptr;  ///< the loop's list of those in flight
  ExecutorFutureBase* previous = nullptr;

 protected:
  ExecutorFutureBase(TaskSpace& space, std::shared_ptr<ThreadState> source);
  ~ExecutorFutureBase() = default;

  /// Has arrive() called when the source is done. Counts as held by the loop.
  void begin();
  virtual void take_value() = 0;
  ThreadState& source() const noexcept { return *source_; }

 private:
  void land() noexcept;

  std::shared_ptr<ThreadState> source_;
  std::shared_ptr<Arrival> arrival_;
};

template <class T>
class ExecutorFuture final : public Valued<ExecutorFutureBase, T> {
 public:
  /// `shared` if others ask the source too.
  static ExecutorFuture& make(TaskSpace& space, std::shared_ptr<ThreadStateOf<T>> source,
                              bool shared = false) {
    auto& future =
        *new (space.take(sizeof(ExecutorFuture))) ExecutorFuture(space, std::move(source), shared);
    Ref<ExecutorFuture> held = Ref<ExecutorFuture>::adopt(future);
    future.begin();
    future.add_ref();
    return future;
  }

 private:
  friend class Ref<ExecutorFuture>;

  ExecutorFuture(TaskSpace& space, std::shared_ptr<ThreadStateOf<T>> source, bool shared)
      : Valued<ExecutorFutureBase, T>(space, std::move(source)), shared_(shared) {}
  ~ExecutorFuture() = default;

  void take_value() override {
    if constexpr (!std::is_void_v<T>) {
      auto& source = static_cast<ThreadStateOf<T>&>(this->source());
      this->value_.emplace(shared_ ? source.value() : source.take());
    }
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    this->~ExecutorFuture();
    space.give_back(this, sizeof(ExecutorFuture));
  }

  const bool shared_;
};

}  // namespace jumpcut::impl
