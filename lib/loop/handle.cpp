#include <jumpcut/handle.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>

#include "loop/loop_state.hpp"

#include <typeinfo>
#include <utility>

namespace jumpcut {

namespace impl {

namespace {

/// What a handle has in the heap of timers.
class HandleTimer final : public Timer {
 public:
  static HandleTimer& make(TaskSpace& space, LoopHandle& handle) {
    return *new (space.take(sizeof(HandleTimer))) HandleTimer(space, handle);
  }

  void run() override {
    handle_.forget_timer();  // so that the function may cancel its own handle
    handle_.run();
  }
  void dispose() noexcept override {
    LoopHandle& handle = handle_;
    space_.give_back(this, sizeof *this);
    handle.forget_timer();
    handle.dispose();
  }

 private:
  HandleTimer(TaskSpace& space, LoopHandle& handle) : space_(space), handle_(handle) {
    handle.add_ref();
  }

  TaskSpace& space_;
  LoopHandle& handle_;
};

}  // namespace

void LoopHandle::run() {
  if (cancelled_) return;
  called_ = true;
  run_callback(
      space_, context_, what_, [](void* self) { static_cast<LoopHandle*>(self)->call(); }, this,
      typeid(*this));
  called_ = false;
  if (!kept_ || cancelled_) drop_function();
}

void LoopHandle::cancel_checked() {
  if (cancelled_) return;
  if (space_.core != nullptr && !space_.core->on_its_thread()) {
    throw RuntimeError(
        "Handle.cancel: it belongs to another thread's loop; make the call there, by "
        "call_soon_threadsafe");
  }
  cancel();
}

void LoopHandle::cancel() noexcept {
  if (cancelled_) return;
  cancelled_ = true;
  if (timer_ != nullptr) {
    auto& timer = *static_cast<HandleTimer*>(timer_);
    LoopState::of(*space_.loop).cancel_timer(timer);
    timer.dispose();  // the caller holds a reference to this
  }
  if (!called_) drop_function();
}

}  // namespace impl

impl::Ref<impl::LoopHandle> Loop::admit(impl::Ref<impl::LoopHandle> handle) {
  state_->core.ready.reserve();
  handle->add_ref();
  state_->core.ready.push(impl::Entry(*handle));
  return handle;
}

impl::Ref<impl::LoopHandle> Loop::admit_at(TimePoint when, impl::Ref<impl::LoopHandle> handle) {
  if (when == TimePoint::max()) {  // never: it lives as long as its handles
    handle->set_timer(when, nullptr);
    return handle;
  }
  auto& timer = impl::HandleTimer::make(*state_->space, *handle);
  handle->set_timer(when, &timer);
  try {
    state_->add_timer(when, timer);
  } catch (...) {
    timer.dispose();
    throw;
  }
  return handle;
}

}  // namespace jumpcut
