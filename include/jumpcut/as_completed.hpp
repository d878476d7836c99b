#pragma once

#include <jumpcut/impl/children.hpp>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {

class Completions;
JUMPCUT_API void add_ref(Completions& completions) noexcept;
JUMPCUT_API void drop_ref(Completions& completions) noexcept;

/// A reference to what is shared by an AsCompleted, its iterators and what they give.
class JUMPCUT_API CompletionsRef {
 public:
  /// Takes notice of all of them as they end.
  CompletionsRef(TaskSpace& space, std::vector<Ref<FutureBase>> futures,
                 std::optional<std::chrono::nanoseconds> timeout);
  CompletionsRef(const CompletionsRef& other) noexcept : state_(other.state_) { add_ref(*state_); }
  CompletionsRef& operator=(const CompletionsRef& other) noexcept;
  ~CompletionsRef() { drop_ref(*state_); }

  /// One more of them is asked for; false if all were.
  bool claim() const noexcept;
  /// Waits for the next one to end.
  Ref<FutureBase> next() const;

 private:
  Completions* state_;
};

}  // namespace impl

/// The next of them to end: what a loop over as_completed() gives. Awaited once.
template <class T>
class NextCompleted {
 public:
  explicit NextCompleted(const impl::CompletionsRef& completions) : completions_(completions) {}

  /// Waits until one more is done; returns its value or throws its error. Throws TimeoutError if
  /// the time is over, RuntimeError if it was awaited before.
  friend T jumpcut_await(const NextCompleted& next) {
    const impl::Ref<impl::FutureBase> future = next.completions_.next();
    return impl::await_value<T>(*future, true);
  }

 private:
  impl::CompletionsRef completions_;
};

/// What as_completed() returns.
template <class FutureType>
class AsCompleted {
  using T = typename impl::ValueOf<FutureType>::type;
  struct End {};

 public:
  AsCompleted(impl::TaskSpace& space, std::vector<impl::Ref<impl::FutureBase>> futures,
              std::optional<std::chrono::nanoseconds> timeout)
      : completions_(space, std::move(futures), timeout) {}

  class Iterator {
   public:
    explicit Iterator(const impl::CompletionsRef& completions)
        : completions_(completions), more_(completions.claim()) {}

    NextCompleted<T> operator*() const { return NextCompleted<T>(completions_); }
    Iterator& operator++() noexcept {
      more_ = completions_.claim();
      return *this;
    }
    friend bool operator!=(const Iterator& iterator, End) noexcept { return iterator.more_; }

   private:
    impl::CompletionsRef completions_;
    bool more_;
  };

  /// Something to await for each of them.
  Iterator begin() const { return Iterator(completions_); }
  End end() const noexcept { return {}; }

  /// The tasks and futures themselves, in the order in which they end.
  class Tasks {
   public:
    explicit Tasks(const impl::CompletionsRef& completions) : completions_(completions) {}

    class Iterator {
     public:
      explicit Iterator(const impl::CompletionsRef& completions) : completions_(completions) {
        ++*this;
      }

      const FutureType& operator*() const noexcept { return *task_; }
      const FutureType* operator->() const noexcept { return &*task_; }
      /// Waits until one more is done. Throws TimeoutError if the time is over.
      Iterator& operator++() {
        task_.reset();
        if (!completions_.claim()) return *this;
        const impl::Ref<impl::FutureBase> next = completions_.next();
        task_.emplace(impl::handle_of<FutureType>(next));
        return *this;
      }
      friend bool operator!=(const Iterator& iterator, End) noexcept {
        return iterator.task_.has_value();
      }

     private:
      impl::CompletionsRef completions_;
      std::optional<FutureType> task_;
    };

    /// Waits for the first.
    Iterator begin() const { return Iterator(completions_); }
    End end() const noexcept { return {}; }

   private:
    impl::CompletionsRef completions_;
  };
  /// For a loop that waits by itself and gives the tasks, done: asyncio's `async for`.
  Tasks tasks() const { return Tasks(completions_); }

 private:
  impl::CompletionsRef completions_;
};

/// Tasks, futures, and callables, which it makes tasks now, in the order in which they end:
/// asyncio.as_completed. `for (auto next : as_completed(tasks))` gives at once, for each of them,
/// something whose await() waits for the next that ends and returns its value; `for (auto task :
/// as_completed(tasks).tasks())` waits in the loop itself and gives the task. Once the time is over
/// what is awaited throws TimeoutError; the tasks go on. The same one given twice counts once.
/// Throws ValueError for futures of several loops.
template <impl::Range R>
requires impl::Awaits<impl::RangeElement<R>>
auto as_completed(R&& range, std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
  using FutureType = impl::AwaitedHandle<impl::RangeElement<R>>;
  impl::TaskSpace& space = impl::running_space("as_completed");
  std::vector<impl::Ref<impl::FutureBase>> futures;
  impl::consume(std::forward<R>(range), [&](auto&& element) {
    futures.push_back(
        impl::to_future(space, "as_completed", std::forward<decltype(element)>(element)));
  });
  return AsCompleted<FutureType>(space, std::move(futures), timeout);
}
template <impl::FutureHandle FutureType>
AsCompleted<FutureType> as_completed(
    std::initializer_list<FutureType> handles,
    std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
  return as_completed(std::vector<FutureType>(handles), timeout);
}

}  // namespace jumpcut
