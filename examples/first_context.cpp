// Two contexts on one thread pass a number back and forth. Each stops in the middle of its loop,
// with its variables where they are, and goes on there.
//
//   $ ./first_context
//   1, doubled, is 2
//   3, doubled, is 6
//   7, doubled, is 14
//   15, doubled, is 30

#include <jumpcut/lowlevel/context.hpp>

#include <array>
#include <cstdio>

using jumpcut::lowlevel::Context;

static std::array<std::byte, 64 * 1024> stack;
static Context main_context;

static void double_all(void* self, void* message) {
  for (;;) {
    int& number = *static_cast<int*>(message);
    number *= 2;
    message = static_cast<Context*>(self)->switch_to(main_context, message);
  }
}

int main() {
  Context doubler(stack, double_all, &doubler);
  for (int number = 1; number < 30; ++number) {
    std::printf("%d, doubled, is ", number);
    main_context.switch_to(doubler, &number);
    std::printf("%d\n", number);
  }
}
