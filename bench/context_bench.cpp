// The raw switch: contexts that do nothing but go on in the next one.

#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>

#include "bench.hpp"

#include <cstddef>
#include <new>
#include <vector>

using jumpcut::lowlevel::Context;
using jumpcut::lowlevel::Stack;
using jumpcut::lowlevel::StackPool;

namespace {

constexpr int switches = 10'000;  // a turn, or as near as whole rounds come

struct Two {
  Context main;
  std::vector<std::byte> stack = std::vector<std::byte>(64 * 1024);
  Context other{stack, &answer, this};

  static void answer(void* argument, void*) {
    Two& two = *static_cast<Two*>(argument);
    for (;;) two.other.switch_to(two.main);
  }
};

void two_contexts(benchmark::State& state) {
  Two two;
  measure(state, switches, [&] {
    for (int i = 0; i < switches / 2; ++i) two.main.switch_to(two.other);
  });
}
BENCHMARK(two_contexts)->Name("switch.two_contexts.ours");

/// One of a ring of contexts. Lies at the top of its own stack, as fibers do.
struct Node {
  Node(const Stack& below, Node& after)
      : stack(below), next(&after), context({stack.low, stack.top}, &pass_on, this) {}
  Node() = default;

  static void pass_on(void* argument, void*) {
    Node& node = *static_cast<Node*>(argument);
    for (;;) node.context.switch_to(node.next->context);
  }

  Stack stack;
  Node* next = this;
  Context context;
};

void ring_of_contexts(benchmark::State& state) {
  constexpr int contexts = 1'000;
  constexpr std::size_t room = (sizeof(Node) + 63) / 64 * 64;
  StackPool pool;
  std::vector<Stack> stacks;
  Node main;
  Node* first = &main;
  for (int i = 1; i < contexts; ++i) {
    stacks.push_back(pool.take());
    const Stack& stack = stacks.back();
    std::byte* top = stack.top - room;
    first = new (top) Node({stack.low, top}, *first);
  }
  constexpr int rounds = switches / contexts;
  measure(state, rounds * contexts, [&] {
    for (int i = 0; i < rounds; ++i) main.context.switch_to(first->context);
  });
  for (const Stack& stack : stacks) pool.give_back(stack);
}
BENCHMARK(ring_of_contexts)->Name("switch.ring_1000.ours");

}  // namespace
