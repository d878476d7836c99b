#pragma once

namespace jumpcut::impl {

/// One who is told when a future is done: a parked fiber, or a callback.
class Listener {
 public:
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  bool is_listed() const noexcept { return previous_ != nullptr; }
  bool is_waiter() const noexcept { return waiter_; }

 protected:
  explicit Listener(bool waiter) noexcept : waiter_(waiter) {}
  ~Listener() = default;

 private:
  friend class FutureBase;

  // The last has no next one, and is the first one's previous. Both are null of what is unlisted.
  Listener* next_ = nullptr;
  Listener* previous_ = nullptr;
  const bool waiter_;
};

/// A fiber's, which awaits one future at a time: Fiber::of().
class Waiter final : public Listener {
 public:
  Waiter() noexcept : Listener(true) {}
};

}  // namespace jumpcut::impl
