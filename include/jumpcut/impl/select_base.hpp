#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/future_base.hpp>

#include <cstddef>

namespace jumpcut::impl {

/// One thing that a select may do. All of its cases share one ticket, and the first that has
/// something finishes it.
class JUMPCUT_API SelectCase {
 public:
  SelectCase() noexcept = default;
  SelectCase(const SelectCase&) = delete;
  SelectCase& operator=(const SelectCase&) = delete;

  /// Does it if it can be done now; throws ChannelClosed.
  virtual bool try_now() = 0;
  /// From here on whoever makes it possible does it, and finishes the ticket.
  virtual void enlist(FutureBase& ticket) = 0;
  virtual bool happened() const noexcept = 0;
  /// It happened, and a cancellation can't undo that.
  virtual bool is_final() const noexcept { return false; }
  /// It happened, and counts; throws ChannelClosed.
  virtual void settle() {}
  /// It is wanted no more; what it was handed goes back.
  virtual void withdraw() noexcept = 0;
  /// A timer's: never for all others.
  virtual TimePoint deadline() const { return TimePoint::max(); }
  /// The one that happens when nothing else can now.
  virtual bool is_otherwise() const noexcept { return false; }

 protected:
  ~SelectCase() = default;
};

/// Does one of the cases, and returns which. Waits.
JUMPCUT_API std::size_t select_one(SelectCase* const* cases, std::size_t count);

/// Finishes a select's ticket one tick after the future is done. Made by listen(), held by its case
/// until then, or until forget().
class JUMPCUT_API SelectListener final : public DoneCallback {
 public:
  static SelectListener& listen(FutureBase& future, FutureBase& ticket);
  /// Whether it was this one that finished the ticket.
  bool happened() const noexcept { return happened_; }
  /// The select does not look at it any more.
  void forget() noexcept;

  void run() override;
  void dispose() noexcept override;

 private:
  SelectListener(FutureBase& future, FutureBase& ticket) noexcept
      : future_(future), ticket_(&ticket) {}
  ~SelectListener() = default;
  void drop() noexcept;

  FutureBase& future_;
  FutureBase* ticket_;  // null once the select has gone on
  int holders_ = 2;     // the future, and the case
  bool happened_ = false;
};

}  // namespace jumpcut::impl
