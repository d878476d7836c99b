#pragma once

#include <jumpcut/impl/core.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

/// A scope's body, for code that is compiled once: a call that leaves its value with the caller.
class Body {
 public:
  template <class Function>
  requires(!std::is_same_v<Function, Body>) explicit Body(Function& function) noexcept
      : function_(&function), call_([](void* called) { (*static_cast<Function*>(called))(); }) {}

  void operator()() const { call_(function_); }

 private:
  void* function_;
  void (*call_)(void*);
};

/// function(scope), or function() if it takes none.
template <class Function, class Scope>
decltype(auto) call_with(Function&& function, Scope& scope) {
  if constexpr (std::is_invocable_v<Function, Scope&>) {
    return std::forward<Function>(function)(scope);
  } else {
    return std::forward<Function>(function)();
  }
}

template <class Function, class Scope>
using BodyResult = decltype(call_with(std::declval<Function>(), std::declval<Scope&>()));

/// Throws InvalidStateError: the scope ended well, but its body was cut short.
[[noreturn]] JUMPCUT_API void throw_no_value(const char* call);

/// Has enter(body) call function(scope), and returns what that returned.
template <class Function, class Scope, class Enter>
BodyResult<Function, Scope> run_body(const char* call, Function&& function, Scope& scope,
                                     Enter&& enter) {
  using Result = BodyResult<Function, Scope>;
  refuse_null(function, call);
  if constexpr (std::is_void_v<Result>) {
    auto run = [&] { call_with(std::forward<Function>(function), scope); };
    enter(Body(run));
  } else if constexpr (std::is_reference_v<Result>) {
    std::remove_reference_t<Result>* value = nullptr;
    auto run = [&] {
      Result found = call_with(std::forward<Function>(function), scope);
      value = &found;
    };
    enter(Body(run));
    if (value == nullptr) throw_no_value(call);
    return static_cast<Result>(*value);
  } else {
    std::optional<Result> value;
    auto run = [&] { value.emplace(call_with(std::forward<Function>(function), scope)); };
    enter(Body(run));
    if (!value.has_value()) throw_no_value(call);
    return std::move(*value);
  }
}

}  // namespace jumpcut::impl
