// What other threads hand to a loop, and how they wake it.
//
// Everything turns on one word, head_:
//
//      null         nothing is queued, and the consumer is awake
//      asleep       nothing is queued, and the consumer sleeps, or is about to
//      a node       queued; the node that was pushed last, linked to those before it
//      closed       the consumer is gone
//
// Whoever pushes the first node of a list *opens* it: only then must the consumer be told. So at
// most one thread writes to the eventfd for each sleep, and none while the consumer is awake.

#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/posted_callback.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace jumpcut::impl {

/// From any threads to one, the consumer: first in, first out. What one thread pushes keeps its
/// order.
///
/// Whoever pushes keeps the queue alive meanwhile, so it is held by a std::shared_ptr and may
/// outlive its consumer; nothing else that the consumer owns need do so.
class PostQueue {
 public:
  /// Made by the consumer. While something is queued, `bit` of `attention` is set, from soon after
  /// push() until drain(); it is not touched after close(). Throws ResourceError,
  /// std::system_error.
  PostQueue(std::atomic<std::uint32_t>& attention, std::uint32_t bit);
  PostQueue(const PostQueue&) = delete;
  PostQueue& operator=(const PostQueue&) = delete;
  ~PostQueue();

  /// From any thread, and from a signal handler. False once the queue is closed: then the node is
  /// still the caller's. Otherwise it must not be touched any more: the consumer may have it
  /// already.
  bool push(PostNode& node) noexcept;

  // All that follows is the consumer's.

  /// Takes all that is queued, linked in the order in which it was pushed; null if there is
  /// nothing.
  PostNode* drain() noexcept;

  /// To be called before waiting for fd(): from here on, push() makes it readable. False, and
  /// nothing changes, if something is queued.
  bool prepare_to_sleep() noexcept;
  /// The consumer does not wait any more. Nothing if it did not.
  void awake() noexcept;

  /// Readable when a push() found the consumer asleep, until drain_fd(). -1 once closed.
  int fd() const noexcept { return fd_; }
  void drain_fd() noexcept;

  /// Returns what was still queued, in order; every push() from now on returns false. Closes fd(),
  /// so it must not be watched any more. Waits for the few instructions of those who push right
  /// now.
  PostNode* close() noexcept;

 private:
  void open_list(bool consumer_sleeps) noexcept;

  alignas(cache_line) std::atomic<PostNode*> head_{nullptr};
  std::atomic<std::uint32_t> announced_{0};  ///< lists whose opener has told the consumer
  std::atomic<std::uint32_t>& attention_;
  const std::uint32_t bit_;
  int fd_;
  alignas(cache_line) std::uint32_t taken_ = 0;  ///< lists that the consumer took
};

}  // namespace jumpcut::impl
