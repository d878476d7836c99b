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
  /// `shared` if others ask the source too. If not, what it has is taken out, lest it be destroyed
  /// by the thread that worked.
  ExecutorFutureBase(TaskSpace& space, std::shared_ptr<ThreadState> source, bool shared);
  ~ExecutorFutureBase() = default;

  /// Has arrive() called when the source is done. Counts as held by the loop.
  void begin();
  virtual void take_value() = 0;
  ThreadState& source() const noexcept { return *source_; }
  bool is_shared() const noexcept { return shared_; }

 private:
  void land() noexcept;

  std::shared_ptr<ThreadState> source_;
  std::shared_ptr<Arrival> arrival_;
  const bool shared_;
};

template <class T>
class ExecutorFuture final : public Valued<ExecutorFutureBase, T> {
 public:
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
      : Valued<ExecutorFutureBase, T>(space, std::move(source), shared) {}
  ~ExecutorFuture() = default;

  void take_value() override {
    if constexpr (!std::is_void_v<T>) {
      auto& source = static_cast<ThreadStateOf<T>&>(this->source());
      this->value_.emplace(this->is_shared() ? source.value() : source.take());
    }
  }
  void destroy() noexcept override {
    TaskSpace& space = *this->space_;
    this->~ExecutorFuture();
    space.give_back(this, sizeof(ExecutorFuture));
  }
};

}  // namespace jumpcut::impl
