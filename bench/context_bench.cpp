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

// At fixed addresses: who goes on next need not be loaded, as with Boost, which has it in a
// register.
std::byte stack_of_two[64 * 1024];
Context one;
Context other{stack_of_two,
              [](void*, void*) {
                for (;;) other.switch_to(one);
              },
              nullptr};

void two_contexts(benchmark::State& state) {
  measure(state, switches, [] {
    for (int i = 0; i < switches / 2; ++i) one.switch_to(other);
  });
}
BENCHMARK(two_contexts)->Name("switch.two_contexts.ours");

/// Contexts that go on in turn, the thread's own among them, each on a stack from a pool. The
/// records lie at the tops of the stacks, as those of fibers do.
class Ring {
 public:
  explicit Ring(int size) {
    contexts_.push_back(&main_);
    while (contexts_.size() < static_cast<std::size_t>(size)) {
      const Stack stack = pool_.take();
      stacks_.push_back(stack);
      std::byte* top = stack.top - room;
      contexts_.push_back(new (top) Context({stack.low, top}, &pass_on_for_ever, this));
    }
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    for (const Stack& stack : stacks_) pool_.give_back(stack);
  }

  /// Returns when all others have had their turn.
  void pass_on() {
    Context* self = contexts_[running_];
    running_ = running_ + 1 == contexts_.size() ? 0 : running_ + 1;
    self->switch_to(*contexts_[running_]);
  }

 private:
  static constexpr std::size_t room = (sizeof(Context) + 63) / 64 * 64;

  static void pass_on_for_ever(void* argument, void*) {
    Ring& ring = *static_cast<Ring*>(argument);
    for (;;) ring.pass_on();
  }

  StackPool pool_;
  std::vector<Stack> stacks_;
  std::vector<Context*> contexts_;  // in the order of their turns
  std::size_t running_ = 0;
  Context main_;
};

void ring_of_contexts(benchmark::State& state) {
  constexpr int contexts = 1'000;
  Ring ring(contexts);
  constexpr int rounds = switches / contexts;
  measure(state, rounds * contexts, [&] {
    for (int i = 0; i < rounds; ++i) ring.pass_on();
  });
}
BENCHMARK(ring_of_contexts)->Name("switch.ring_1000.ours");

}  // namespace
