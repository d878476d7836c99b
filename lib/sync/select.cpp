#include <jumpcut/select.hpp>

#include "base/check.hpp"
#include "loop/alarm.hpp"

#include <optional>

namespace jumpcut::impl {

namespace {

std::size_t which_happened(SelectCase* const* cases, std::size_t count) noexcept {
  std::size_t i = 0;
  while (i != count && !cases[i]->happened()) ++i;
  return i;
}

/// Whatever way the select is left, nobody may come back to it.
class Withdrawal {
 public:
  Withdrawal(SelectCase* const* cases, std::size_t count) noexcept : cases_(cases), count_(count) {}
  Withdrawal(const Withdrawal&) = delete;
  Withdrawal& operator=(const Withdrawal&) = delete;
  ~Withdrawal() {
    for (std::size_t i = 0; i != count_; ++i) cases_[i]->withdraw();
  }

 private:
  SelectCase* const* cases_;
  std::size_t count_;
};

}  // namespace

std::size_t select_one(SelectCase* const* cases, std::size_t count) {
  TaskBase& task = TaskBase::running("select");
  std::size_t otherwise = count;
  std::size_t soonest = count;  // of the timers
  for (std::size_t i = 0; i != count; ++i) {
    if (cases[i]->is_otherwise()) {
      otherwise = i;
    } else if (cases[i]->try_now()) {
      return i;
    }
    const TimePoint deadline = cases[i]->deadline();
    if (deadline == TimePoint::max()) continue;
    if (soonest == count || deadline < cases[soonest]->deadline()) soonest = i;
  }
  if (otherwise != count) return otherwise;

  Waiting waiting(task.space(), "select()");
  const Withdrawal withdrawal(cases, count);
  for (std::size_t i = 0; i != count; ++i) cases[i]->enlist(waiting);
  {
    std::optional<Alarm> alarm;
    if (soonest != count) {
      alarm.emplace(LoopState::of(*task.space().loop), cases[soonest]->deadline(), waiting);
    }
    TaskBase::wait_for_outcome(waiting, "select");
  }
  std::size_t done = which_happened(cases, count);
  if (done == count || !cases[done]->is_final()) TaskBase::check_interrupted(waiting);
  waiting.get();
  if (done == count) done = soonest;
  JUMPCUT_CHECK(done != count, "a select went on, and none of its cases happened");
  cases[done]->settle();
  return done;
}

SelectListener& SelectListener::listen(FutureBase& future, FutureBase& ticket) {
  TaskSpace& space = ticket.space();
  auto* listener = new (space.take(sizeof(SelectListener))) SelectListener(future, ticket);
  try {
    future.listen(*listener);
  } catch (...) {
    listener->~SelectListener();
    space.give_back(listener, sizeof(SelectListener));
    throw;
  }
  return *listener;
}

void SelectListener::run() {
  if (ticket_ == nullptr || ticket_->is_done()) return;
  happened_ = true;
  ticket_->finish();
}

void SelectListener::forget() noexcept {
  ticket_ = nullptr;
  if (is_listed()) {
    future_.forget(*this);
    --holders_;
  }
  drop();
}

void SelectListener::dispose() noexcept {
  FutureBase& future = future_;
  drop();
  future.drop_ref();
}

void SelectListener::drop() noexcept {
  if (--holders_ != 0) return;
  TaskSpace& space = future_.space();
  this->~SelectListener();
  space.give_back(this, sizeof(SelectListener));
}

}  // namespace jumpcut::impl
