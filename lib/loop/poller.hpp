// Where a loop waits for descriptors: what the kernel must offer, and nothing of how. epoll is one
// (poller_epoll.cpp).

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace jumpcut::impl {

struct PollEvent {
  static constexpr std::uint32_t readable = 1;
  static constexpr std::uint32_t writable = 2;
  /// Of an interest: to be told each time that it becomes ready, or more so, but not for as long as
  /// it is.
  static constexpr std::uint32_t edge = 4;
  /// Beside `readable`: there is an end to be read, maybe behind what came with it, or urgent data,
  /// which a read stops at. Where edges are asked for, also if the peer sends no more, but would
  /// receive.
  static constexpr std::uint32_t ended = 8;

  std::uint64_t tag = 0;
  /// What would not wait now. Errors and hang-ups are both bits, whatever was asked for: reading
  /// and writing tell which.
  std::uint32_t ready = 0;
};

/// How many are asked for at once. More would be forgotten by the cache until their tasks go on:
/// lib/decisions/0012-descriptors.md.
inline constexpr std::size_t events_at_once = 128;

/// One thread's.
class Poller {
 public:
  Poller() noexcept = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  virtual ~Poller() = default;

  /// From now on wait() reports the descriptor with this tag for as long as it is ready for any of
  /// `interest`; or once now, if it is, and at each change, if `interest` says so. One registration
  /// a descriptor: a second call changes it. 0 removes it, and nothing happens if there is none, or
  /// if the descriptor is closed, or in a process that was forked since the poller was made: the
  /// registrations are the parent's.
  ///
  /// Remove before close(): while a copy of the descriptor is open elsewhere (dup, fork), it would
  /// be reported on and on, and nobody could remove it any more.
  ///
  /// True if the descriptor was not watched until now: of one that was, somebody closed it, and the
  /// number is another's.
  ///
  /// Throws std::system_error: EPERM for what can't be watched, a regular file; EBADF.
  /// ResourceError where a limit is hit. RuntimeError in a process that was forked.
  virtual bool watch(int fd, std::uint32_t interest, std::uint64_t tag) = 0;

  /// Waits until something is ready, or for `timeout` nanoseconds: less than 0 for ever, at 0 not
  /// at all. Never shorter, but for a signal, and for a timeout of weeks: then it returns 0 early,
  /// and the caller asks what time it is. Returns how many of `events`, which must have room for
  /// one, are filled; none is reported twice. What had no room comes with the next call.
  virtual std::size_t wait(std::span<PollEvent> events, std::int64_t timeout) = 0;

  /// Is readable when wait() would report something: so one poller can be watched by another.
  virtual int fd() const noexcept = 0;
};

/// The best that the system has. Throws ResourceError, std::system_error.
std::unique_ptr<Poller> make_poller();

/// One that can wait for whole milliseconds only, which make_poller() falls back to.
std::unique_ptr<Poller> make_coarse_poller();

}  // namespace jumpcut::impl
