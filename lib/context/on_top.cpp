#include "on_top.hpp"

#include "base/sanitizers.hpp"

namespace jumpcut::impl {

namespace {

struct Call {
  sanitizers::Visit visit;
  void (*function)(void*) noexcept;
  void* argument;
};

void run_announced(void* argument) noexcept {
  Call& call = *static_cast<Call*>(argument);
  sanitizers::visit_arrives(call.visit);
  call.function(call.argument);
  sanitizers::visit_leaves(call.visit);
}

__attribute__((no_sanitize("thread"))) void visit_announced(Saved& parked, Call& call) noexcept {
  sanitizers::visit_begins(call.visit);
  jumpcut_on_top(&parked, &run_announced, &call);
  sanitizers::visit_ends(call.visit);
}

}  // namespace

void run_on_top(Saved& parked, ToolStack& stack, void (*function)(void*) noexcept,
                void* argument) noexcept {
  if constexpr (sanitizers::announced) {
    Call call{{stack}, function, argument};
    visit_announced(parked, call);
  } else {
    jumpcut_on_top(&parked, function, argument);
  }
}

}  // namespace jumpcut::impl
