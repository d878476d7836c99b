#pragma once

#include <jumpcut/impl/core.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// Calls function() on the thread's own stack, usually of 8 MiB, and returns what it returns or
/// throws what it throws: for a deep call of somebody else's, such as std::regex on a long text.
/// The fiber goes on right after it; no other runs meanwhile. The function can't park: on the
/// thread's own stack that throws RuntimeError. Throws RuntimeError outside a fiber, ValueError for
/// a null function.
template <class Function>
auto run_on_big_stack(Function&& function) {
  using Result = std::invoke_result_t<Function&>;
  static_assert(!std::is_reference_v<Result>, "return a pointer instead of a reference");
  using Kept = std::conditional_t<std::is_void_v<Result>, char, Result>;
  impl::refuse_null(function, "run_on_big_stack");
  struct Call {
    std::remove_reference_t<Function>& function;
    std::optional<Kept> result;
    std::exception_ptr error;
  } call{function, std::nullopt, nullptr};

  impl::call_on_hub(
      "run_on_big_stack",
      [](void* argument) noexcept {
        auto& self = *static_cast<Call*>(argument);
        try {
          if constexpr (std::is_void_v<Result>) {
            self.function();
          } else {
            self.result.emplace(self.function());
          }
        } catch (...) {
          self.error = std::current_exception();
        }
      },
      &call);
  if (call.error != nullptr) std::rethrow_exception(std::move(call.error));
  if constexpr (!std::is_void_v<Result>) return Result(*std::move(call.result));
}

}  // namespace jumpcut
