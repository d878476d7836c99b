// workers: work that takes a processor, and code that may crash, in processes of their own.
//
//   $ ./workers
//   148933 primes below 2000000
//   legacy: 1234 -> 4321
//   legacy: a worker process was ended by SIGABRT before its call was done
//   legacy: 42 -> 24

#include <jumpcut/jumpcut.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

namespace {

int primes_between(int first, int end) {
  int count = 0;
  for (int n = first; n < end; ++n) {
    bool is_prime = n > 1;
    for (int divisor = 2; divisor * divisor <= n && is_prime; ++divisor) {
      is_prime = n % divisor != 0;
    }
    count += is_prime ? 1 : 0;
  }
  return count;
}

/// What one inherits: nobody knows for which numbers it ends the program.
std::string legacy(int number) {
  const std::string text = std::to_string(number);
  if (text.size() > 4) std::abort();
  return {text.rbegin(), text.rend()};
}

}  // namespace

int main() {
  jumpcut::run([] {
    jumpcut::ProcessPool pool;
    std::vector<jumpcut::Future<int>> parts;
    for (int first = 0; first < 2'000'000; first += 250'000) {
      parts.push_back(pool.submit([=] { return primes_between(first, first + 250'000); }));
    }
    int count = 0;
    for (const auto& part : parts) count += await(part);
    std::printf("%d primes below 2000000\n", count);
    for (const int number : {1234, 123'456, 42}) {
      try {
        const std::string turned = await(pool.submit([=] { return legacy(number); }));
        std::printf("legacy: %d -> %s\n", number, turned.c_str());
      } catch (const jumpcut::BrokenProcessPool& crash) {
        std::printf("legacy: %s\n", crash.what());
      }
    }
  });
}
