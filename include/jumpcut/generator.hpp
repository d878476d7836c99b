#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/generator_base.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// What yield throws in a generator that is closed or destroyed before it has ended, so that its
/// destructors run: Python's GeneratorExit. Not a std::exception; code that catches it rethrows it.
class JUMPCUT_API GeneratorExit {};

struct GeneratorOptions {
  /// Bytes of stack; 0 for the loop's usual size.
  std::size_t stack_size = 0;
};

/// What a generator's function calls with each value.
template <class T>
class Yield {
 public:
  explicit Yield(impl::GeneratorBase& generator) noexcept : generator_(generator) {}
  Yield(const Yield&) = delete;
  Yield& operator=(const Yield&) = delete;

  /// Returns once the next value is asked for. Throws GeneratorExit if none will be, RuntimeError
  /// outside the generator's function, inside a Context::run() and inside a scope such as
  /// move_on_after() that was entered in the generator: its caller would be in it.
  [[gnu::always_inline]] void operator()(T value) { generator_.hand_out(&value); }

 private:
  impl::GeneratorBase& generator_;
};

/// Values that a function makes one by one, each when it is asked for: Python's async generator.
/// The function runs on a stack of its own and in the name of the task that asks: what it awaits,
/// that task waits for; if the task is cancelled, the function's await throws Cancelled; context
/// variables, current_task() and the name in reports are that task's.
///
///     Generator<int> ticks([](Yield<int>& yield) {
///       for (int i = 0;; ++i) { sleep(1s); yield(i); }
///     });
///     for (int& tick : ticks) ...
///
/// Its destructor ends a function that has begun, at once: yield throws GeneratorExit, and the
/// function's destructors have run before ours returns. They run in no task there, so they can't
/// wait: what would wait throws RuntimeError. Call close() where they must. What they throw goes to
/// the exception handler.
template <class T>
class Generator {
  static_assert(!std::is_reference_v<T>, "a generator makes values; use a pointer");

 public:
  using value_type = T;

  /// function(yield), with a Yield<T>&. Nothing runs yet. Throws ValueError for a null function.
  template <class Function,
            std::enable_if_t<std::is_invocable_v<std::decay_t<Function>&, Yield<T>&>, int> = 0>
  explicit Generator(Function&& function, const GeneratorOptions& options = {}) {
    impl::refuse_null(function, "Generator");
    state_ = std::make_unique<Body<std::decay_t<Function>>>(std::forward<Function>(function),
                                                            options.stack_size);
  }
  Generator(Generator&&) noexcept = default;
  Generator& operator=(Generator&&) noexcept = default;
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator() = default;

  /// Waits for the next value: none once the function has returned. Throws what the function
  /// throws, once; RuntimeError outside a task, while it runs already, for this task or another,
  /// and if it was moved from.
  [[gnu::always_inline]] std::optional<T> next() {
    if (!state("Generator.next").pull()) return std::nullopt;
    return std::move(*static_cast<T*>(state_->value()));
  }
  /// Ends the function, if it has begun, as the destructor does; returns once it has ended, and it
  /// may wait. Throws what its clean-up throws, and RuntimeError if it yields again. Does nothing
  /// the second time.
  void close() { state("Generator.close").close(); }
  /// The function has ended, or will never begin.
  bool done() const noexcept {
    return state_ == nullptr || state_->state() == impl::GeneratorBase::State::done;
  }

  class Iterator;
  /// `for (T& value : generator)` takes each value. Waits, as next() does; so does ++.
  [[gnu::always_inline]] inline Iterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  class State : public impl::GeneratorBase {
   public:
    using GeneratorBase::GeneratorBase;
    virtual ~State() = default;
  };
  template <class Function>
  class Body final : public State {
   public:
    template <class F>
    Body(F&& function, std::size_t stack_size)
        : State(stack_size), function_(std::forward<F>(function)) {}
    ~Body() override { this->end_now(); }

   private:
    void call_body() override {
      Yield<T> yield(*this);
      (*function_)(yield);
    }
    void drop_body() noexcept override { function_.reset(); }

    std::optional<Function> function_;
  };

  State& state(const char* call) const {
    if (state_ == nullptr) [[unlikely]]
      impl::throw_no_generator(call);
    return *state_;
  }

  std::unique_ptr<State> state_;  // null once it was moved from
};

/// Stands at the value that was yielded last, in the generator's own stack.
template <class T>
class Generator<T>::Iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using iterator_category = std::input_iterator_tag;
  using pointer = T*;
  using reference = T&;

  explicit Iterator(impl::GeneratorBase& state) noexcept : state_(&state) {}

  T& operator*() const noexcept { return *static_cast<T*>(state_->value()); }
  T* operator->() const noexcept { return static_cast<T*>(state_->value()); }
  /// Waits for the next value.
  [[gnu::always_inline]] Iterator& operator++() {
    if (!state_->pull()) state_ = nullptr;
    return *this;
  }
  [[gnu::always_inline]] void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& one, std::default_sentinel_t) noexcept {
    return one.state_ == nullptr;
  }

 private:
  impl::GeneratorBase* state_;  // null at the end
};

template <class T>
inline auto Generator<T>::begin() -> Iterator {
  Iterator iterator(state("Generator.begin"));
  return ++iterator;
}

}  // namespace jumpcut
