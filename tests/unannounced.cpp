// Compiled for a sanitizer that libjumpcut was built without. Fails, so that tests/planted.py looks
// at what was said.

#include <jumpcut/lowlevel/scheduler.hpp>

int main() {
  for (int i = 0; i < 2; ++i) jumpcut::lowlevel::Scheduler();
  return 1;
}
