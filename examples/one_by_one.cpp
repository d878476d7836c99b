// one_by_one: the same two jobs, one after the other, and both at once.
//
//   $ ./one_by_one
//   one by one
//   A done
//   B done
//   3.00 s
//   both at once
//   B done
//   A done
//   2.00 s

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

void work(const char* name, std::chrono::seconds duration) {
  jumpcut::sleep(duration);
  std::printf("%s done\n", name);
}

template <class Body>
void timed(const char* title, Body body) {
  std::puts(title);
  const auto start = jumpcut::get_running_loop().time();
  body();
  const std::chrono::duration<double> elapsed = jumpcut::get_running_loop().time() - start;
  std::printf("%.2f s\n", elapsed.count());
}

}  // namespace

int main() {
  jumpcut::run([] {
    timed("one by one", [] {
      work("A", 2s);  // a call is a call: the caller waits
      work("B", 1s);
    });
    timed("both at once", [] {
      auto a = jumpcut::create_task([] { work("A", 2s); });
      auto b = jumpcut::create_task([] { work("B", 1s); });
      await(a);
      await(b);
    });
  });
}
