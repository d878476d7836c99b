#include <jumpcut/impl/gather_base.hpp>

#include <jumpcut/cancelled.hpp>

namespace jumpcut::impl {

GatherBase::~GatherBase() = default;

void GatherBase::begin() {
  if (count_ == 0) return collect(), finish();
  if (!any_was_done_) return;
  for (std::size_t i = 0; i < count_; ++i) {
    if (children_[i].was_done) count_in(*children_[i].future);
  }
}

void GatherBase::abandon() noexcept {
  for (std::size_t i = 0; i < added_; ++i) children_[i].link.forget();
}

void GatherBase::count_in(FutureBase& child) {
  ++done_;
  if (is_done()) return child.set_retrieved();
  if (!results_ && !child.is_well()) {
    return fail_with(child.is_cancelled() ? child.take_cancelled() : child.exception());
  }
  if (done_ < count_) return;
  if (cancelled_ != nullptr) {
    for (std::size_t i = 0; i < count_; ++i) children_[i].future->set_retrieved();
    return fail_with(last_cancelled());
  }
  try {
    collect();
  } catch (...) {  // a value could not be copied
    return fail_with(std::current_exception());
  }
  finish();
}

bool GatherBase::cancel(const std::exception_ptr& cancelled) {
  if (is_done()) return false;
  bool any = false;
  for (std::size_t i = 0; i < count_; ++i) {
    if (children_[i].future->cancel(cancelled)) any = true;
  }
  if (any) cancelled_ = cancelled;
  return any;
}

/// As asyncio has it: what the last child says, in the order given, even if it was not cancelled.
std::exception_ptr GatherBase::last_cancelled() const {
  FutureBase& last = *children_[count_ - 1].future;
  if (last.is_cancelled()) return last.take_cancelled();
  if (last.is_task()) {
    std::exception_ptr request = static_cast<const TaskBase&>(last).own_request();
    if (request != nullptr) return request;
  }
  return without_message(cancelled_);
}

}  // namespace jumpcut::impl
