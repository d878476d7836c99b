#pragma once

#include <jumpcut/channel.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/impl/select_base.hpp>
#include <jumpcut/sleep.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {

/// A value comes from a channel. `optional`: its function takes an std::optional<T>, none if the
/// channel is closed and empty.
template <class T, class Function, bool optional>
class ReceiveCase final : public SelectCase {
 public:
  ReceiveCase(Channel<T>& channel, Function&& function)
      : channel_(channel), function_(std::forward<Function>(function)) {}

  bool try_now() override {
    value_ = channel_.try_receive();
    if (value_.has_value()) return true;
    if (!channel_.is_closed()) return false;
    if constexpr (!optional) throw_channel_closed("select");
    return true;
  }
  void enlist(FutureBase& ticket) override { receiver_.emplace(channel_, ticket); }
  bool happened() const noexcept override {
    return receiver_->outcome() != ChannelNode::Outcome::none;
  }
  void settle() override {
    if (receiver_->outcome() == ChannelNode::Outcome::passed) {
      value_.emplace(std::move(receiver_->value()));
      receiver_->settle();
    } else if (!optional) {
      throw_channel_closed("select");
    }
  }
  void withdraw() noexcept override { receiver_.reset(); }
  void call() {
    if constexpr (optional) {
      function_(std::move(value_));
    } else {
      function_(std::move(*value_));
    }
  }

 private:
  Channel<T>& channel_;
  Function function_;
  std::optional<T> value_;
  std::optional<ChannelReceiver<T>> receiver_;
};

/// A channel takes a value.
template <class T, class Function>
class SendCase final : public SelectCase {
 public:
  SendCase(Channel<T>& channel, T&& value, Function&& function)
      : channel_(channel), value_(&value), function_(std::forward<Function>(function)) {}
  SendCase(Channel<T>& channel, const T& value, Function&& function)
      : channel_(channel), copy_(value), function_(std::forward<Function>(function)) {}

  bool try_now() override { return channel_.try_send(std::move(value())); }
  void enlist(FutureBase& ticket) override { sender_.emplace(channel_, ticket, value()); }
  bool happened() const noexcept override {
    return sender_->outcome() != ChannelNode::Outcome::none;
  }
  bool is_final() const noexcept override {
    return sender_->outcome() == ChannelNode::Outcome::passed;
  }
  void settle() override { sender_->check("select"); }
  void withdraw() noexcept override { sender_.reset(); }
  void call() { function_(); }

 private:
  T& value() noexcept { return value_ != nullptr ? *value_ : *copy_; }

  Channel<T>& channel_;
  T* value_ = nullptr;
  std::optional<T> copy_;
  Function function_;
  std::optional<ChannelSender<T>> sender_;
};

/// A future or task is done.
template <class Handle, class Function>
class DoneCase final : public SelectCase {
 public:
  DoneCase(const Handle& future, Function&& function)
      : future_(future), function_(std::forward<Function>(function)) {}

  bool try_now() override { return future_.base("select").is_done(); }
  void enlist(FutureBase& ticket) override {
    listener_ = &SelectListener::listen(future_.base("select"), ticket);
  }
  bool happened() const noexcept override { return listener_->happened(); }
  void withdraw() noexcept override {
    if (listener_ != nullptr) listener_->forget();
    listener_ = nullptr;
  }
  void call() {
    if constexpr (std::is_invocable_v<Function&, const Handle&>) {
      function_(std::as_const(future_));
    } else {
      function_();
    }
  }

 private:
  Handle future_;
  Function function_;
  SelectListener* listener_ = nullptr;
};

/// A time has come.
template <class Function>
class AfterCase final : public SelectCase {
 public:
  AfterCase(TimePoint deadline, Function&& function)
      : deadline_(deadline), function_(std::forward<Function>(function)) {}

  bool try_now() override { return false; }
  void enlist(FutureBase&) override {}
  bool happened() const noexcept override { return false; }
  void withdraw() noexcept override {}
  TimePoint deadline() const override { return deadline_; }
  void call() { function_(); }

 private:
  TimePoint deadline_;
  Function function_;
};

/// Nothing else can happen now.
template <class Function>
class OtherwiseCase final : public SelectCase {
 public:
  explicit OtherwiseCase(Function&& function) : function_(std::forward<Function>(function)) {}

  bool try_now() override { return false; }
  void enlist(FutureBase&) override {}
  bool happened() const noexcept override { return false; }
  void withdraw() noexcept override {}
  bool is_otherwise() const noexcept override { return true; }
  void call() { function_(); }

 private:
  Function function_;
};

}  // namespace impl

/// Cases for select(), to be written inside its call. Their functions run in the task that selects,
/// after all else is withdrawn, so they may wait and throw. A null one is a ValueError.
///
/// Takes a value from a channel and calls function(value). select() throws ChannelClosed if it is
/// closed and empty.
template <class T, class Function>
impl::ReceiveCase<T, Function, false> on_receive(Channel<T>& channel, Function&& function) {
  impl::refuse_null(function, "on_receive");
  return {channel, std::forward<Function>(function)};
}
/// The same for function(std::optional<T>), which gets none if the channel is closed and empty.
template <class T, class Function>
impl::ReceiveCase<T, Function, true> on_next(Channel<T>& channel, Function&& function) {
  impl::refuse_null(function, "on_next");
  return {channel, std::forward<Function>(function)};
}
/// Sends a value, and calls function(). If another case happens, `value` is still where it was.
/// select() throws ChannelClosed if the channel is closed.
template <class T, class Function>
impl::SendCase<T, Function> on_send(Channel<T>& channel, std::type_identity_t<T>&& value,
                                    Function&& function) {
  impl::refuse_null(function, "on_send");
  return {channel, std::move(value), std::forward<Function>(function)};
}
template <class T, class Function>
requires std::is_copy_constructible_v<T> impl::SendCase<T, Function> on_send(
    Channel<T>& channel, const std::type_identity_t<T>& value, Function&& function) {
  impl::refuse_null(function, "on_send");
  return {channel, value, std::forward<Function>(function)};
}
/// The future or task is done: calls function(future), or function(). Its result is not looked at.
template <class Handle, class Function>
requires std::is_base_of_v<AnyFuture, Handle> impl::DoneCase<Handle, Function> on_done(
    const Handle& future, Function&& function) {
  impl::refuse_null(function, "on_done");
  return {future, std::forward<Function>(function)};
}
/// So much time has passed: calls function(). Throws RuntimeError outside a task.
template <class Rep, class Period, class Function>
impl::AfterCase<Function> after(std::chrono::duration<Rep, Period> delay, Function&& function) {
  impl::refuse_null(function, "after");
  return {impl::deadline_after(impl::loop_now("after"), delay), std::forward<Function>(function)};
}
/// None of the others can happen at once: calls function(), and select() doesn't wait.
template <class Function>
impl::OtherwiseCase<Function> otherwise(Function&& function) {
  impl::refuse_null(function, "otherwise");
  return impl::OtherwiseCase<Function>(std::forward<Function>(function));
}

/// Waits until one of the cases can happen, does that one and no other, and returns its number,
/// from 0, once its function has returned. If several can happen at once it is the first of them;
/// later, the one that is possible first. A channel that is closed wakes it. Throws Cancelled; then
/// nothing has been taken from a channel, nor sent. Throws RuntimeError outside a task.
///
///     select(on_receive(orders, [&](Order order) { ... }),
///            on_send(ticks, Tick{}, [&] { ... }),
///            on_done(closing_time, [&] { ... }),
///            after(10s, [&] { ... }));
template <class... Cases>
std::size_t select(Cases&&... cases) {
  static_assert(sizeof...(Cases) != 0, "a select of nothing would wait for ever");
  static_assert((std::is_base_of_v<impl::SelectCase, std::remove_cvref_t<Cases>> && ...),
                "a case is made by on_receive, on_next, on_send, on_done, after or otherwise");
  impl::SelectCase* const all[] = {&cases...};
  const std::size_t happened = impl::select_one(all, sizeof...(Cases));
  std::size_t number = 0;
  static_cast<void>(((number++ == happened && (cases.call(), true)) || ...));
  return happened;
}

}  // namespace jumpcut
