#include <jumpcut/impl/gather_base.hpp>

#include <jumpcut/cancelled.hpp>

namespace jumpcut::impl {

void GatherBase::begin() {
  if (count_ == 0) collect(), finish();
  if (waited_for_ == 0) watched_ = false;
  if (!any_was_done_) return;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!children_[i].link.is_used()) count_in(*children_[i].future);
  }
  if (is_done() && waited_for_ != 0) release_children();
}

void GatherBase::abandon() noexcept {
  for (std::size_t i = 0; i < added_; ++i) children_[i].link.forget();
  watched_ = false;
}

void GatherBase::child_said(FutureBase& child) {
  const bool was_done = is_done();
  telling_ = &child;
  count_in(child);
  if (is_done() && !was_done && waited_for_ > 1) release_children();
}

void GatherBase::no_child_left() noexcept {
  if (watched_) {
    watched_ = false;
  } else {
    drop_ref();  // the children's
  }
}

void GatherBase::last_handle_dropped() noexcept {
  watched_ = false;
  references_ = 1;  // the children's
  if (has_listeners() || cancelled_ != nullptr) return;
  add_ref();
  release_children();
  drop_ref();
}

/// Some may be gone then, and not be waited for any more: nobody else held them.
void GatherBase::release_children() noexcept {
  released_ = true;
  for (std::size_t i = 0; i < added_; ++i) children_[i].future = {};
}

void GatherBase::count_in(FutureBase& child) {
  ++done_;
  if (is_done()) return child.set_retrieved();
  if (!results_ && !child.is_well()) {
    return fail_with(child.is_cancelled() ? child.take_cancelled() : child.exception());
  }
  if (done_ < count_ || released_) return;
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
  if (is_done() || released_) return false;
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
