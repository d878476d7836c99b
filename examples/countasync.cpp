// countasync: three tasks that count take as long as one.
//
//   $ ./countasync
//   One
//   One
//   One
//   Two
//   Two
//   Two
//   1.00 seconds

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

void count() {
  std::puts("One");
  jumpcut::sleep(1s);
  std::puts("Two");
}

}  // namespace

int main() {
  jumpcut::run([] {
    const auto start = jumpcut::get_running_loop().time();
    jumpcut::gather(count, count, count);
    const std::chrono::duration<double> elapsed = jumpcut::get_running_loop().time() - start;
    std::printf("%.2f seconds\n", elapsed.count());
  });
}
