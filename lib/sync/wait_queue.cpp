#include <jumpcut/impl/wait_queue.hpp>

#include "base/check.hpp"

#include <string>

namespace jumpcut::impl {

std::size_t WaitQueue::size() const noexcept {
  std::size_t count = 0;
  for (const QueuedWait* one = first_; one != nullptr; one = one->next_) ++count;
  return count;
}

void WaitQueue::append(QueuedWait& one) noexcept {
  one.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &one;
  last_ = &one;
  if (pending_ == nullptr) pending_ = &one;
}

void WaitQueue::remove(QueuedWait& one) noexcept {
  if (pending_ == &one) pending_ = one.next_;
  (one.previous_ != nullptr ? one.previous_->next_ : first_) = one.next_;
  (one.next_ != nullptr ? one.next_->previous_ : last_) = one.previous_;
}

void WaitQueue::wait(QueuedWait& one) {
  struct Place {
    WaitQueue& queue;
    QueuedWait& one;
    Place(WaitQueue& in, QueuedWait& whose) noexcept : queue(in), one(whose) { queue.append(one); }
    ~Place() {
      if (!one.orphaned_) queue.remove(one);
    }
  };
  const Place place(*this, one);
  TaskBase::wait_until_done(one.waiting_, one.waiting_.what());
  one.waiting_.get();
}

bool WaitQueue::wake_pending() {
  for (; pending_ != nullptr; pending_ = pending_->next_) {
    if (pending_->is_done()) continue;
    pending_->waiting_.finish();
    pending_ = pending_->next_;
    return true;
  }
  return false;
}

void WaitQueue::check_thread(const char* call) const {
  const Core* core = first_->waiting_.space().core;
  if (core != nullptr && core->on_its_thread()) return;
  throw RuntimeError(
      std::string(call) + ": tasks of " +
      (core == nullptr ? "a loop that is closed wait in " : "another thread's loop wait in ") +
      what_ +
      (core == nullptr ? "; nobody can wake them any more"
                       : "; make the call there, by call_soon_threadsafe"));
}

void WaitQueue::dismiss() noexcept {
  std::size_t waiting = 0;
  for (QueuedWait* one = first_; one != nullptr; one = one->next_) {
    const bool free = one->waiting_.space().core == nullptr  // its task never goes on
                      || (needed_ == Needed::by_woken && one->is_cancelled()) ||
                      (needed_ == Needed::by_waiting && one->is_done());
    one->orphaned_ = free;
    waiting += free ? 0 : 1;
  }
  if (waiting == 0) return;
  fail("destroyed while %zu task%s in %s: cancel and await %s before it goes", waiting,
       waiting == 1 ? " waits" : "s wait", what_, waiting == 1 ? "that task" : "those tasks");
}

void LoopBound::bind_first(std::uint64_t loop, const char* call) {
  if (loop_ != 0) {
    throw RuntimeError(std::string(call) +
                       ": it belongs to another loop, the first whose task waited in it; make one "
                       "for each loop, and use call_soon_threadsafe between them");
  }
  loop_ = loop;
}

}  // namespace jumpcut::impl
