#include <jumpcut/impl/children.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>

namespace jumpcut::impl {

std::vector<Ref<FutureBase>> distinct(std::vector<Ref<FutureBase>> futures) {
  std::vector<std::size_t> order(futures.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const std::less<const FutureBase*> before;
    if (before(futures[a].get(), futures[b].get())) return true;
    return futures[a] == futures[b] && a < b;
  });
  std::vector<bool> again(futures.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    again[order[i]] = futures[order[i]] == futures[order[i - 1]];
  }
  std::vector<Ref<FutureBase>> result;
  result.reserve(futures.size());
  for (std::size_t i = 0; i < futures.size(); ++i) {
    if (!again[i]) result.push_back(std::move(futures[i]));
  }
  return result;
}

void throw_other_loop(const FutureBase& future, const char* call) {
  throw ValueError(std::string(call) + ": " + future.describe() +
                   " belongs to another loop than the rest");
}

}  // namespace jumpcut::impl
