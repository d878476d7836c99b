#include "on_top.hpp"

#include "base/sanitizers.hpp"

namespace jumpcut::impl {

namespace {

struct Call {
  sanitizers::Visit visit;
  void (*function)(void*) noexcept = nullptr;
  void* argument = nullptr;
};

void run_visited(void* argument) noexcept {
  Call& call = *static_cast<Call*>(argument);
  sanitizers::visit_arrives(call.visit);
  call.function(call.argument);
  sanitizers::visit_leaves(call.visit);
}

}  // namespace

__attribute__((no_sanitize("thread"))) void run_on_top(Saved& parked, ToolStack& stack,
                                                       void (*function)(void*) noexcept,
                                                       void* argument) noexcept {
  Call call{{stack}, function, argument};
  sanitizers::visit_begins(call.visit);
  jumpcut_on_top(&parked, &run_visited, &call);
  sanitizers::visit_ends(call.visit);
}

}  // namespace jumpcut::impl
