#include <jumpcut/impl/handle_state.hpp>

#include <jumpcut/future.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <string>
#include <utility>

namespace jumpcut {

namespace impl {

void run_callback(TaskSpace& space, ContextCell& context, const char* what, void (*function)(void*),
                  void* argument, const std::type_info& type) noexcept {
  if (space.debug) {
    space.callback = what;
    space.callback_type = &type;
  }
  ContextCell*& place = TaskBase::context_place();
  ContextCell* before = std::exchange(place, &context);
  try {
    function(argument);
  } catch (...) {
    if (space.report != nullptr) {
      space.report(space, std::string("Exception in ") + what, std::current_exception(), nullptr);
    }
  }
  TaskBase::context_place() = before;
}

std::uintptr_t DoneHandle::listen(FutureBase& future, DoneHandle& handle) {
  try {
    future.listen(handle);
  } catch (...) {
    future.add_ref();  // which dispose() drops
    handle.dispose();
    throw;
  }
  return reinterpret_cast<std::uintptr_t>(&handle);
}

void DoneHandle::run() {
  run_callback(
      future_.space(), context_, "done callback",
      [](void* argument) {
        auto& self = *static_cast<DoneHandle*>(argument);
        self.call(self.future_);
      },
      this, typeid(*this));
}

void DoneHandle::dispose() noexcept {
  FutureBase& future = future_;
  const std::size_t bytes = size();
  this->~DoneHandle();
  future.space().give_back(this, bytes);
  future.drop_ref();
}

}  // namespace impl

bool AnyFuture::remove_done_callback(DoneToken token) const {
  impl::FutureBase& future = base("remove_done_callback");
  future.check_thread("remove_done_callback");
  impl::Listener* found = nullptr;
  future.for_each_listener([&](impl::Listener& one) {
    if (!one.is_waiter() && static_cast<DoneToken>(reinterpret_cast<std::uintptr_t>(
                                static_cast<impl::DoneCallback*>(&one))) == token) {
      found = &one;
    }
  });
  if (found == nullptr) return false;
  future.forget(*found);
  future.add_ref();  // which dispose() drops
  static_cast<impl::DoneCallback*>(found)->dispose();
  return true;
}

bool AnyFuture::request_cancel(std::string* message, const impl::SourceLocation& where) const {
  impl::FutureBase& future = base("cancel");
  future.check_thread("cancel");
  if (future.is_done()) return future.cancel(nullptr);
  CancelRequest request;
  if (message != nullptr) {
    request.message = std::move(*message);
    request.has_message = true;
  }
  request.where = where;
  if (const impl::TaskBase* by = impl::TaskBase::current()) request.by = by->task_name();
  return future.cancel(impl::make_cancelled(std::move(request)));
}

}  // namespace jumpcut
