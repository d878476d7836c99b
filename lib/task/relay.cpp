#include "task/relay.hpp"

#include <new>

namespace jumpcut::impl {

/// Stays in the ready queue if the waiter goes first.
class Relay::Link final : public DoneCallback {
 public:
  Link(FutureBase& future, FutureBase& waiting) noexcept : future_(future), waiting_(&waiting) {}

  void run() override {
    if (waiting_ != nullptr && !waiting_->is_done()) waiting_->finish();
  }
  FutureBase* awaiter() noexcept override { return waiting_; }
  void dispose() noexcept override {
    FutureBase& future = future_;
    if (relay_ != nullptr) relay_->link_ = nullptr;
    future.space().give_back(this, sizeof *this);
    future.drop_ref();
  }

  void join(Relay& relay) noexcept { relay_ = &relay; }
  void leave() noexcept {
    waiting_ = nullptr;
    relay_ = nullptr;
    if (!is_listed()) return;
    future_.forget(*this);
    future_.add_ref();  // which dispose() drops
    dispose();
  }

 private:
  FutureBase& future_;
  FutureBase* waiting_;
  Relay* relay_ = nullptr;
};

Relay::Relay(FutureBase& future, FutureBase& waiting) : future_(future) {
  link_ = new (future.space().take(sizeof(Link))) Link(future, waiting);
  try {
    future.listen(*link_);
  } catch (...) {
    future.space().give_back(link_, sizeof(Link));
    throw;
  }
  link_->join(*this);
  future_.add_ref();
}

Relay::~Relay() {
  if (link_ != nullptr) link_->leave();
  future_.drop_ref();
}

}  // namespace jumpcut::impl
