// jumpcut/lowlevel/stack_pool.hpp: memory for stacks, taken, given back, guarded, trimmed,
// scrubbed.

#include <jumpcut/lowlevel/stack_pool.hpp>

#include <jumpcut/error.hpp>

#include <catch2/catch.hpp>

using jumpcut::lowlevel::GuardMode, jumpcut::lowlevel::Stack, jumpcut::lowlevel::StackPool;

TEST_CASE("the stack that was given back last is taken first") {
  StackPool pool;
  Stack a = pool.take();
  Stack b = pool.take();
  pool.give_back(a);
  pool.give_back(b);
  Stack c = pool.take();
  CHECK(c.low == b.low);
  CHECK(c.top == b.top);
  Stack d = pool.take();
  CHECK(d.low == a.low);
  CHECK(d.top == a.top);
  pool.give_back(c);
  pool.give_back(d);
}
