#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/handle_state.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

class LoopState;

/// A function for the loop to call, once in its turn, at a time, or whenever a descriptor is ready.
/// Whoever has it in a queue, and each handle, holds a reference.
class JUMPCUT_API LoopHandle : public Callback {
 public:
  void run() final;
  void dispose() noexcept final {
    if (space_.core == nullptr) [[unlikely]]
      drop_function();  // the loop is closed, who ever holds the handle
    drop_ref();
  }

  void cancel() noexcept;
  /// The same for a user. Throws RuntimeError on another thread.
  void cancel_checked();
  bool is_cancelled() const noexcept { return cancelled_; }
  TimePoint when() const noexcept { return when_; }
  void set_timer(TimePoint when, void* timer) noexcept {
    when_ = when;
    timer_ = timer;
  }
  void forget_timer() noexcept { timer_ = nullptr; }
  /// It may be called again and again, until it is cancelled.
  void keep() noexcept { kept_ = true; }

  void add_ref() noexcept { ++references_; }
  void drop_ref() noexcept {
    if (--references_ == 0) destroy();
  }

 protected:
  LoopHandle(TaskSpace& space, const char* what) noexcept : space_(space), what_(what) {}
  virtual ~LoopHandle() = default;

  virtual void call() = 0;
  /// Destroys the function, if it is still there.
  virtual void drop_function() noexcept = 0;
  virtual void destroy() noexcept = 0;

  TaskSpace& space_;

 private:
  const char* what_;
  ContextCell context_{current_context()};
  TimePoint when_{};
  void* timer_ = nullptr;  // the loop's, while it is set for a time
  std::uint32_t references_ = 1;
  bool cancelled_ = false;
  bool kept_ = false;
  bool called_ = false;
};

template <class Function>
class LoopHandleOf final : public LoopHandle {
 public:
  template <class F>
  static LoopHandleOf& make(TaskSpace& space, const char* what, F&& function) {
    refuse_null(function, what);
    void* memory = space.take(sizeof(LoopHandleOf));
    try {
      return *new (memory) LoopHandleOf(space, what, std::forward<F>(function));
    } catch (...) {
      space.give_back(memory, sizeof(LoopHandleOf));
      throw;
    }
  }

 private:
  template <class F>
  LoopHandleOf(TaskSpace& space, const char* what, F&& function)
      : LoopHandle(space, what), function_(std::forward<F>(function)) {}
  ~LoopHandleOf() override { drop_function(); }

  void call() override { function_(); }
  void drop_function() noexcept override {
    if (!std::exchange(has_function_, false)) return;
    function_.~Function();
  }
  void destroy() noexcept override {
    TaskSpace& space = space_;
    this->~LoopHandleOf();
    space.give_back(this, sizeof(LoopHandleOf));
  }

  union {
    Function function_;
  };
  bool has_function_ = true;
};

/// The same from other threads: made there, by new, and run once.
class JUMPCUT_API Posted {
 public:
  Posted() noexcept = default;
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;
  virtual ~Posted() = default;
  virtual void call() = 0;
};

template <class Function>
class PostedOf final : public Posted {
 public:
  template <class F>
  explicit PostedOf(F&& function)  // NOLINT: nobody copies one
      : function_(std::forward<F>(function)) {}
  void call() override { function_(); }

 private:
  Function function_;
};

}  // namespace jumpcut::impl
