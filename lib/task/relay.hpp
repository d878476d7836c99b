#pragma once

#include <jumpcut/impl/future_base.hpp>

namespace jumpcut::impl {

/// Ends `waiting` one tick after `future` is done, as a callback of it would. On the stack of who
/// waits, and holds the future; neither cares for the other's outcome.
class Relay {
 public:
  Relay(FutureBase& future, FutureBase& waiting);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

 private:
  class Link;

  FutureBase& future_;
  Link* link_;
};

}  // namespace jumpcut::impl
