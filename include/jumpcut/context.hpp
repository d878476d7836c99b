#pragma once

#include <jumpcut/impl/bindings.hpp>
#include <jumpcut/impl/core.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {
class TaskBase;
}  // namespace jumpcut::impl

namespace jumpcut {

class Context;

/// A copy of the current context: changes on either side are not seen on the other.
JUMPCUT_API Context copy_context();

/// A set of values of context variables: contextvars.Context. Copies are the same one; a task's own
/// is a copy of its creator's, made when the task is created.
class JUMPCUT_API Context {
 public:
  /// An empty one.
  Context();
  Context(const Context& other) noexcept : cell_(other.cell_) { cell_->add_ref(); }
  Context& operator=(Context other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Context() { cell_->drop_ref(); }  // NOLINT(clang-analyzer-*): an optional ends it once

  /// Another one with the values that this has now.
  Context copy() const;
  /// Calls function() with this as the current context, and returns what it returns. What is set
  /// inside stays in it. Throws RuntimeError where it is entered already: inside another run() of
  /// it, whichever task or thread is there, and in a task that was created with it; run a copy().
  /// Throws ValueError for a null function.
  template <class Function>
  decltype(auto) run(Function&& function) const {
    impl::refuse_null(function, "Context.run");
    const Entered entered(*cell_);
    return std::forward<Function>(function)();
  }

 private:
  friend Context copy_context();
  friend class impl::TaskBase;

  class JUMPCUT_API Entered {
   public:
    explicit Entered(impl::SharedContext& context);
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    ~Entered();

   private:
    impl::SharedContext& context_;
    impl::ContextCell* before_;
  };

  impl::SharedContext* cell_;
};

namespace impl {

class ContextKey;

/// The untyped half of ContextVar's Token.
class ContextToken {
 public:
  ContextToken(ContextToken&& other) noexcept
      : key_(std::exchange(other.key_, nullptr)),
        context_(other.context_),
        before_(std::move(other.before_)) {}
  ContextToken& operator=(ContextToken&& other) noexcept {
    key_ = std::exchange(other.key_, nullptr);
    context_ = other.context_;
    before_ = std::move(other.before_);
    return *this;
  }

 private:
  friend class ContextKey;
  explicit ContextToken(const ContextKey& key) noexcept : key_(&key) {}

  mutable const ContextKey* key_;  // null once it was used, or moved from
  const ContextCell* context_ = &current_context();
  mutable std::shared_ptr<const void> before_;
};

/// The untyped half of ContextVar.
class JUMPCUT_API ContextKey {
 public:
  explicit ContextKey(const char* name) noexcept : name_(name) {}
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;

  std::shared_ptr<const void> find() const noexcept;
  ContextToken set(std::shared_ptr<const void> value) const;
  void reset(const ContextToken& token) const;
  [[noreturn]] void throw_unset() const;

 private:
  void bind(std::shared_ptr<const void> value) const;

  const char* name_;
};

}  // namespace impl

/// A variable with a value for each task: contextvars.ContextVar. Tasks and callbacks see the value
/// of the moment at which they were created or registered. Any number of threads may use one; it
/// must outlive what was bound to it, so it is usually static.
template <class T>
class ContextVar {
 public:
  /// What set() returns: reset() puts the value back that was there before.
  using Token = impl::ContextToken;

  explicit ContextVar(const char* name) noexcept : key_(name) {}
  ContextVar(const char* name, T initial)
      : key_(name), initial_(std::make_shared<const T>(std::move(initial))) {}

  /// The current context's value, or the initial one. Throws RuntimeError if there is neither.
  T get() const {
    if (auto value = key_.find()) return *static_cast<const T*>(value.get());
    if (initial_ == nullptr) key_.throw_unset();
    return *initial_;
  }
  T get(T otherwise) const {
    auto value = key_.find();
    return value ? *static_cast<const T*>(value.get()) : std::move(otherwise);
  }

  /// Changes it in the current context.
  Token set(T value) { return key_.set(std::make_shared<const T>(std::move(value))); }
  /// Puts back what was there before that set(). Throws RuntimeError for a token that was used
  /// already, ValueError for another variable's, and in another context than set() was called in.
  void reset(const Token& token) { key_.reset(token); }

 private:
  impl::ContextKey key_;
  std::shared_ptr<const T> initial_;
};

}  // namespace jumpcut
