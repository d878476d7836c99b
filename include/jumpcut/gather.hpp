#pragma once

#include <jumpcut/impl/gather_base.hpp>
#include <jumpcut/result.hpp>

#include <utility>

namespace jumpcut {

/// The future that gather() waits for: of a tuple or vector of values, or of nothing where there
/// are none. Callables are made tasks now, in the order given; the same future given twice counts
/// as one, whose value is there twice. It fails as soon as one fails or is cancelled, while the
/// others go on; their errors then count as taken. cancel() cancels all that are not done, and the
/// gather ends as the first of them does; it returns false if it is done. Throws ValueError for a
/// future of another loop than the first's, RuntimeError for a callable where no loop runs.
template <impl::Awaits... X>
auto gather_future(X&&... arguments) {
  return impl::gather_arguments<false>("gather", std::forward<X>(arguments)...);
}
template <impl::Range R>
auto gather_future(R&& range) {
  return impl::gather_range<false>("gather", std::forward<R>(range));
}

/// The same with a Result for each, so it does not fail; it ends when all are done. Once cancelled,
/// and if one of them let itself be, it fails with Cancelled then.
template <impl::Awaits... X>
auto gather_results_future(X&&... arguments) {
  return impl::gather_arguments<true>("gather_results", std::forward<X>(arguments)...);
}
template <impl::Range R>
auto gather_results_future(R&& range) {
  return impl::gather_range<true>("gather_results", std::forward<R>(range));
}

/// Waits for all of them, side by side: asyncio.gather. Takes tasks, futures, and callables, which
/// it makes tasks. Returns a tuple of their values in the order given, std::monostate for void;
/// nothing if all are void. Throws what the first one that fails throws, at once: the others go on.
/// If the caller is cancelled, all of them are. Throws RuntimeError outside a task, ValueError for
/// futures of several loops.
template <impl::Awaits... X>
auto gather(X&&... arguments) {
  impl::TaskBase::running("gather");
  return await(gather_future(std::forward<X>(arguments)...));
}
/// The same for a range of them: returns a vector of the values.
template <impl::Range R>
auto gather(R&& range) {
  impl::TaskBase::running("gather");
  return await(gather_future(std::forward<R>(range)));
}

/// Waits for all of them as gather() does, until each is done, and returns a Result for each:
/// asyncio.gather(return_exceptions=True).
template <impl::Awaits... X>
auto gather_results(X&&... arguments) {
  impl::TaskBase::running("gather_results");
  return await(gather_results_future(std::forward<X>(arguments)...));
}
template <impl::Range R>
auto gather_results(R&& range) {
  impl::TaskBase::running("gather_results");
  return await(gather_results_future(std::forward<R>(range)));
}

}  // namespace jumpcut
