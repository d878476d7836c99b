// The neighbours of context_bench.cpp: Boost.Context's own primitive, jump_fcontext, under its
// continuation and fiber classes.

#include "bench.hpp"

#include <cstddef>
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

/// As in context_bench.cpp; the stacks are what the library's usual allocator gives, of its default
/// size.
class Ring {
 public:
  explicit Ring(int size) : contexts_(static_cast<std::size_t>(size)) {
    for (std::size_t i = 1; i < contexts_.size(); ++i) {
      const auto stack = allocator_.allocate();
      stacks_.push_back(stack);
      contexts_[i] = make_fcontext(stack.sp, stack.size, &pass_on_for_ever);
    }
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    for (auto& stack : stacks_) allocator_.deallocate(stack);
  }

  /// Whoever is jumped to learns where the one before is parked, and writes that down.
  void pass_on() {
    running_ = running_ + 1 == contexts_.size() ? 0 : running_ + 1;
    note(jump_fcontext(contexts_[running_], this));
  }

 private:
  void note(transfer_t from) {
    contexts_[running_ == 0 ? contexts_.size() - 1 : running_ - 1] = from.fctx;
  }

  static void pass_on_for_ever(transfer_t from) {
    Ring& ring = *static_cast<Ring*>(from.data);
    ring.note(from);
    for (;;) ring.pass_on();
  }

  boost::context::fixedsize_stack allocator_;
  std::vector<boost::context::stack_context> stacks_;
  std::vector<fcontext_t> contexts_;
  std::size_t running_ = 0;
};

void ring_of_contexts(benchmark::State& state) {
  constexpr int contexts = 1'000;
  Ring ring(contexts);
  constexpr int rounds = switches / contexts;
  measure(state, rounds * contexts, [&] {
    for (int i = 0; i < rounds; ++i) ring.pass_on();
  });
}
BENCHMARK(ring_of_contexts)->Name("switch.ring_1000.boost");

}  // namespace
