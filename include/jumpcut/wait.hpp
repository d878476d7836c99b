#pragma once

#include <jumpcut/impl/children.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace jumpcut {

enum class ReturnWhen : std::uint8_t {
  all_completed,
  first_completed,
  first_exception,  ///< all, or one that failed; being cancelled is no failure
};

struct WaitOptions {
  /// How long to wait; as long as it takes if there is none. Zero or less is one turn of the loop.
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;
  ReturnWhen return_when = ReturnWhen::all_completed;
};

/// Those that are done and those that are not, in the order given.
template <class FutureType>
struct WaitResult {
  std::vector<FutureType> done = {};
  std::vector<FutureType> pending = {};
};

namespace impl {

JUMPCUT_API void wait_for(const std::vector<Ref<FutureBase>>& futures, const WaitOptions& options);

template <class FutureType, class R>
WaitResult<FutureType> wait_for_handles(const R& range, const WaitOptions& options) {
  std::vector<Ref<FutureBase>> futures;
  for (const FutureType& handle : range) {
    handle.base("wait");
    futures.push_back(handle.ref());
  }
  futures = distinct(std::move(futures));
  wait_for(futures, options);
  WaitResult<FutureType> result;
  for (const Ref<FutureBase>& future : futures) {
    (future->is_done() ? result.done : result.pending).push_back(handle_of<FutureType>(future));
  }
  return result;
}

}  // namespace impl

/// Waits for tasks and futures of one loop without asking how they end: asyncio.wait. Returns once
/// what the options say has happened, or their time is over; nobody is cancelled by that. Each
/// counts once, however often it is given. Throws Cancelled if the caller is cancelled, which they
/// don't notice; ValueError if there is none, or one of another loop; RuntimeError outside a task.
template <impl::Range R>
auto wait(const R& range, const WaitOptions& options = {}) {
  using FutureType = std::remove_cvref_t<impl::RangeElement<const R>>;
  static_assert(impl::FutureHandle<FutureType>,
                "wait takes tasks and futures: make tasks of the functions, by create_task");
  return impl::wait_for_handles<FutureType>(range, options);
}
template <impl::FutureHandle FutureType>
WaitResult<FutureType> wait(std::initializer_list<FutureType> handles,
                            const WaitOptions& options = {}) {
  return impl::wait_for_handles<FutureType>(handles, options);
}
/// The same for those of different types.
inline WaitResult<AnyFuture> wait(std::initializer_list<AnyFuture> handles,
                                  const WaitOptions& options = {}) {
  return impl::wait_for_handles<AnyFuture>(handles, options);
}

}  // namespace jumpcut
