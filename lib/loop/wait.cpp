#include <jumpcut/wait.hpp>

#include <jumpcut/clock.hpp>

#include "loop/alarm.hpp"
#include "loop/loop_state.hpp"

#include <cstddef>
#include <new>

namespace jumpcut::impl {

namespace {

/// Lets the waiting task go on. A child that was done before the task left may have its turn after
/// that, so this stays until the last child is gone.
class Gate final {
 public:
  Gate(TaskSpace& space, FutureBase& waiting, ReturnWhen when, std::size_t count)
      : space_(space), waiting_(&waiting), when_(when), count_(count) {
    for (std::size_t i = 0; i < count; ++i) new (children() + i) Child<Gate>;
  }

  static std::size_t size_of(std::size_t count) noexcept {
    return sizeof(Gate) + count * sizeof(Child<Gate>);
  }

  void watch(const std::vector<Ref<FutureBase>>& futures) {
    left_ = futures.size();
    for (std::size_t i = 0; i < futures.size(); ++i) {
      children()[i].watch(*futures[i], *this);
      ++references_;
    }
  }
  void leave() noexcept {
    waiting_ = nullptr;
    for (std::size_t i = 0; i < count_; ++i) children()[i].forget();
    child_gone();
  }

  void child_done(FutureBase& child) {
    --left_;
    const bool enough =
        left_ == 0 || when_ == ReturnWhen::first_completed ||
        (when_ == ReturnWhen::first_exception && !child.is_cancelled() && child.exception());
    if (enough && waiting_ != nullptr && !waiting_->is_done()) waiting_->finish();
  }
  FutureBase* awaiter() noexcept { return waiting_; }
  void child_gone() noexcept {
    if (--references_ != 0) return;
    TaskSpace& space = space_;
    const std::size_t bytes = size_of(count_);
    for (std::size_t i = 0; i < count_; ++i) children()[i].~Child<Gate>();
    this->~Gate();
    space.give_back(this, bytes);
  }

 private:
  ~Gate() = default;

  Child<Gate>* children() noexcept { return reinterpret_cast<Child<Gate>*>(this + 1); }

  TaskSpace& space_;
  FutureBase* waiting_;
  const ReturnWhen when_;
  const std::size_t count_;
  std::size_t left_ = 0;
  std::size_t references_ = 1;
};

}  // namespace

void wait_for(const std::vector<Ref<FutureBase>>& futures, const WaitOptions& options) {
  TaskSpace& space = TaskBase::running("wait").space();
  if (futures.empty()) throw ValueError("wait: there is nothing to wait for");
  for (const Ref<FutureBase>& future : futures) check_same_loop(space, *future, "wait");

  Waiting waiting(space, "wait()");
  LoopState& loop = LoopState::of(*space.loop);
  std::optional<Alarm> alarm;
  if (options.timeout.has_value()) {
    alarm.emplace(loop, deadline_after(loop.now(), *options.timeout), waiting);
  }
  void* memory = space.take(Gate::size_of(futures.size()));
  auto* gate = new (memory) Gate(space, waiting, options.return_when, futures.size());
  struct Leaving {
    Gate& gate;
    ~Leaving() { gate.leave(); }
  } leaving{*gate};
  gate->watch(futures);
  TaskBase::wait_until_done(waiting, "wait");
  waiting.get();
}

}  // namespace jumpcut::impl
