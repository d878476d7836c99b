#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/loop_handle.hpp>

#include <utility>

namespace jumpcut {

/// A call that the loop was asked to make: asyncio.Handle. Copies are the same one; dropping it
/// does not cancel the call. Belongs to the loop's thread.
class JUMPCUT_API Handle {
 public:
  /// None.
  Handle() noexcept = default;
  explicit Handle(impl::Ref<impl::LoopHandle> state) noexcept : state_(std::move(state)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(state_); }
  /// The call will not be made; its function is destroyed now. Nothing if it was made already.
  /// Throws RuntimeError on another thread.
  void cancel() const {
    if (state_) state_->cancel_checked();
  }
  bool cancelled() const noexcept { return state_ && state_->is_cancelled(); }

 protected:
  impl::Ref<impl::LoopHandle> state_;
};

/// A call at a given time: asyncio.TimerHandle.
class JUMPCUT_API TimerHandle : public Handle {
 public:
  using Handle::Handle;

  /// The time on the loop's clock.
  TimePoint when() const noexcept { return state_ ? state_->when() : TimePoint(); }
};

}  // namespace jumpcut
