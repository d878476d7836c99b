// The form of the switch: inlined into whoever parks, or a called function. For lib/decisions.

#include "fiber_loops.hpp"

using jumpcut::impl::Saved;
using jumpcut::impl::Switched;

namespace {

[[gnu::always_inline]] inline Switched called(Saved& from, Saved& to, void* message) noexcept {
  return {from, jumpcut::impl::jumpcut_switch(&from, &to, message)};
}

using Inlined = loops::By<&jumpcut::impl::switch_inlined>;
using Called = loops::By<&called>;

BENCHMARK(loops::yield<Inlined, 2>)->Name("form.yield_2.inlined");
BENCHMARK(loops::yield<Called, 2>)->Name("form.yield_2.called");
BENCHMARK(loops::ping_pong<Inlined>)->Name("form.ping_pong.inlined");
BENCHMARK(loops::ping_pong<Called>)->Name("form.ping_pong.called");
BENCHMARK(loops::spawn_join<Inlined>)->Name("form.spawn_join.inlined");
BENCHMARK(loops::spawn_join<Called>)->Name("form.spawn_join.called");
BENCHMARK(loops::yield_and_return<Inlined, 10>)->Name("form.yield_and_return_10.inlined");
BENCHMARK(loops::yield_and_return<Called, 10>)->Name("form.yield_and_return_10.called");
BENCHMARK(loops::yield_and_return<Inlined, 50>)->Name("form.yield_and_return_50.inlined");
BENCHMARK(loops::yield_and_return<Called, 50>)->Name("form.yield_and_return_50.called");

}  // namespace
