// The neighbours of context_bench.cpp: Boost.Context's own primitive, jump_fcontext, under its
// continuation and fiber classes.

#include "bench.hpp"

#include <cstddef>
#include <deque>
#include <vector>

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fixedsize_stack.hpp>

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

namespace {

constexpr int switches = 10'000;

void answer(transfer_t from) {
  for (;;) from = jump_fcontext(from.fctx, nullptr);
}

void two_contexts(benchmark::State& state) {
  std::vector<std::byte> stack(64 * 1024);
  transfer_t other = {make_fcontext(stack.data() + stack.size(), stack.size(), &answer), nullptr};
  measure(state, switches, [&] {
    for (int i = 0; i < switches / 2; ++i) other = jump_fcontext(other.fctx, nullptr);
  });
}
BENCHMARK(two_contexts)->Name("switch.two_contexts.boost");

struct Node {
  boost::context::stack_context stack;
  fcontext_t context = nullptr;
  Node* next = nullptr;
};

/// Whoever is jumped to learns where the jump came from, and keeps that.
void pass_on(Node& node) {
  const transfer_t from = jump_fcontext(node.next->context, &node);
  static_cast<Node*>(from.data)->context = from.fctx;
}

void pass_on_for_ever(transfer_t from) {
  Node& previous = *static_cast<Node*>(from.data);
  previous.context = from.fctx;
  for (Node& node = *previous.next;;) pass_on(node);
}

void ring_of_contexts(benchmark::State& state) {
  constexpr std::size_t contexts = 1'000;
  boost::context::fixedsize_stack allocator;  // of its default size
  std::deque<Node> nodes(contexts);
  for (std::size_t i = 0; i < contexts; ++i) {
    Node& node = nodes[i];
    node.next = &nodes[(i + 1) % contexts];
    if (i == 0) continue;  // the thread's own
    node.stack = allocator.allocate();
    node.context = make_fcontext(node.stack.sp, node.stack.size, &pass_on_for_ever);
  }
  constexpr int rounds = switches / int{contexts};
  measure(state, rounds * int{contexts}, [&] {
    for (int i = 0; i < rounds; ++i) pass_on(nodes[0]);
  });
  for (Node& node : nodes) {
    if (node.stack.sp != nullptr) allocator.deallocate(node.stack);
  }
}
BENCHMARK(ring_of_contexts)->Name("switch.ring_1000.boost");

}  // namespace
