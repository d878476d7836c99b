#include "loop/stop_when_done.hpp"

#include "loop/loop_state.hpp"

namespace jumpcut::impl {

/// It may be in the ready queue when the run is over already, so it has a life of its own.
class StopWhenDone::Callback final : public DoneCallback {
 public:
  static void make(StopWhenDone& owner, FutureBase& future) {
    owner.callbacks_.push_back(nullptr);
    TaskSpace& space = future.space();
    auto* one = new (space.take(sizeof(Callback))) Callback(owner, future);
    try {
      future.listen(*one);
    } catch (...) {
      space.give_back(one, sizeof(Callback));
      throw;
    }
    owner.callbacks_.back() = one;
    ++owner.left_;
  }

  void run() override {
    if (owner_ != nullptr && --owner_->left_ == 0) owner_->loop_.stop();
  }
  void dispose() noexcept override {
    if (owner_ != nullptr) owner_->callbacks_[place_] = nullptr;
    FutureBase& future = future_;
    future.space().give_back(this, sizeof *this);
    future.drop_ref();
  }
  void leave_owner() noexcept {
    owner_ = nullptr;
    if (!is_listed()) return;
    future_.forget(*this);
    future_.add_ref();  // which dispose() drops
    dispose();
  }

 private:
  Callback(StopWhenDone& owner, FutureBase& future) noexcept
      : owner_(&owner), place_(owner.callbacks_.size() - 1), future_(future) {}

  StopWhenDone* owner_;
  std::size_t place_;
  FutureBase& future_;
};

StopWhenDone::~StopWhenDone() {
  for (Callback* one : callbacks_) {
    if (one != nullptr) one->leave_owner();
  }
}

void StopWhenDone::add(FutureBase& future) {
  Callback::make(*this, future);
}

}  // namespace jumpcut::impl
