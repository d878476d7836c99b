#include <jumpcut/as_completed.hpp>

#include <jumpcut/clock.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>

#include <algorithm>
#include <deque>
#include <memory>

namespace jumpcut::impl {

/// What ended and was not given out yet, and who waits for more: a queue, filled by the loop. Each
/// future that it still listens to, and the timer, hold it too.
class Completions final {
 public:
  Completions(TaskSpace& space, std::size_t count)
      : children_(std::make_unique<Child<Completions>[]>(count)), space_(space), count_(count) {}

  void begin(const std::vector<Ref<FutureBase>>& futures,
             std::optional<std::chrono::nanoseconds> timeout) {
    for (const Ref<FutureBase>& future : futures) {
      children_[listening_].watch(*future, *this);
      ++listening_;
      ++todo_;
      ++references;
    }
    if (todo_ == 0 || !timeout.has_value()) return;
    struct TimeIsUp {
      explicit TimeIsUp(Completions& owner) noexcept : completions(&owner) { ++owner.references; }
      TimeIsUp(TimeIsUp&& other) noexcept
          : completions(std::exchange(other.completions, nullptr)) {}
      ~TimeIsUp() {
        if (completions != nullptr) drop_ref(*completions);
      }
      void operator()() const { completions->end_of_time(); }
      Completions* completions;
    };
    timer_ = space_.loop->call_later(*timeout, TimeIsUp(*this));
  }
  /// It will not begin.
  void abandon() noexcept {
    for (std::size_t i = 0; i < listening_; ++i) children_[i].forget();
  }

  bool claim() noexcept { return claimed_ < count_ && ++claimed_ != 0; }

  Ref<FutureBase> next() {
    TaskBase::running("as_completed");
    if (asked_ == count_) {
      throw RuntimeError("as_completed: what it gives can be awaited once, and all were awaited");
    }
    ++asked_;
    while (done_.empty()) wait();
    Ref<FutureBase> future = std::move(done_.front());
    done_.pop_front();
    if (!future) throw TimeoutError("as_completed: timed out");
    return future;
  }

  void child_done(FutureBase& child) {
    if (todo_ == 0) return;  // the time was up first
    --todo_;
    put(Ref<FutureBase>(&child));
    if (todo_ == 0) timer_.cancel();
  }
  void child_gone() noexcept { drop_ref(*this); }
  FutureBase* awaiter() noexcept { return waiting_.empty() ? nullptr : waiting_.front(); }

  std::size_t references = 1;

 private:
  void wait() {
    Waiting waiting(space_, "as_completed()");
    waiting_.push_back(&waiting);
    try {
      TaskBase::wait_until_done(waiting, "as_completed");
      waiting.get();
    } catch (...) {
      const auto place = std::find(waiting_.begin(), waiting_.end(), &waiting);
      if (place != waiting_.end()) waiting_.erase(place);
      // It was woken for one, and leaves it to the next.
      if (!done_.empty() && !waiting.is_cancelled()) wake_next();
      throw;
    }
  }
  void put(Ref<FutureBase> future) {
    done_.push_back(std::move(future));
    wake_next();
  }
  void wake_next() {
    while (!waiting_.empty()) {
      FutureBase& waiting = *waiting_.front();
      waiting_.pop_front();
      if (waiting.is_done()) continue;
      waiting.finish();
      return;
    }
  }
  void end_of_time() {
    for (std::size_t i = 0; i < count_; ++i) children_[i].forget();
    for (; todo_ > 0; --todo_) put({});
  }

  const std::unique_ptr<Child<Completions>[]> children_;
  TaskSpace& space_;
  const std::size_t count_;
  std::size_t listening_ = 0;
  std::size_t todo_ = 0;
  std::size_t claimed_ = 0;           // by iterators
  std::size_t asked_ = 0;             // by who awaits
  std::deque<Ref<FutureBase>> done_;  // none: the time is up
  std::deque<FutureBase*> waiting_;
  TimerHandle timer_;
};

void add_ref(Completions& completions) noexcept {
  ++completions.references;
}

void drop_ref(Completions& completions) noexcept {
  if (--completions.references == 0) delete &completions;
}

CompletionsRef::CompletionsRef(TaskSpace& space, std::vector<Ref<FutureBase>> futures,
                               std::optional<std::chrono::nanoseconds> timeout) {
  for (const Ref<FutureBase>& future : futures) check_same_loop(space, *future, "as_completed");
  futures = distinct(std::move(futures));
  state_ = new Completions(space, futures.size());
  try {
    state_->begin(futures, timeout);
  } catch (...) {
    state_->abandon();
    drop_ref(*state_);
    throw;
  }
}

CompletionsRef& CompletionsRef::operator=(const CompletionsRef& other) noexcept {
  CompletionsRef copy(other);
  std::swap(state_, copy.state_);
  return *this;
}

bool CompletionsRef::claim() const noexcept {
  return state_->claim();
}

Ref<FutureBase> CompletionsRef::next() const {
  return state_->next();
}

}  // namespace jumpcut::impl
