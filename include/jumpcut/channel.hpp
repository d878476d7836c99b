#pragma once

#include <jumpcut/impl/channel_base.hpp>
#include <jumpcut/impl/task_base.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// A value was sent to a channel that is closed, or asked of one that is closed and empty.
class JUMPCUT_API ChannelClosed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace impl {
template <class T>
class ChannelReceiver;
template <class T>
class ChannelSender;
}  // namespace impl

/// Values on their way from task to task, strictly in order: a value goes to the receiver that has
/// waited longest, and no other can take it, unlike a Queue's. With capacity 0, a rendezvous:
/// send() returns once a receiver has the value. asyncio has none; Go's channel.
///
/// An operation happens or is cancelled, never both: a receiver that is cancelled after it was
/// handed a value gives it back, to the front; a sender whose value was taken is cancelled at its
/// next wait instead.
///
/// Belongs to one loop's thread. Its destructor closes it.
template <class T>
class Channel {
  static_assert(!std::is_reference_v<T>, "a channel carries values; use a pointer");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a value must not get lost on its way: T's move constructor must be noexcept");

 public:
  using value_type = T;

  /// Holds up to so many values that nobody has taken.
  explicit Channel(std::size_t capacity = 0) noexcept : capacity_(capacity) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    close();
    handed_.abandon();
  }

  /// Waits until there is room, or a receiver for it. Throws ChannelClosed, also if it is closed
  /// meanwhile, and Cancelled; then the value is still where it was.
  [[gnu::always_inline]] void send(T&& value) {
    if (pass_on(value, "Channel.send")) return;
    wait_to_send(value);
  }
  [[gnu::always_inline]] void send(const T& value) requires std::is_copy_constructible_v<T> {
    T copy(value);
    send(std::move(copy));
  }
  /// Never waits: false if it would have to, and then the value is still there. Throws
  /// ChannelClosed.
  bool try_send(T&& value) { return pass_on(value, "Channel.try_send"); }
  bool try_send(const T& value) requires std::is_copy_constructible_v<T> {
    T copy(value);
    return try_send(std::move(copy));
  }

  /// Waits until there is a value. Throws ChannelClosed once it is closed and empty, and Cancelled.
  [[gnu::always_inline]] T receive();
  /// The same, but none once it is closed and empty.
  [[gnu::always_inline]] std::optional<T> next();
  /// Never waits: none if it would have to, and none if it is closed and empty.
  std::optional<T> try_receive() {
    std::optional<T> value;
    take_now([&](T& taken) { value.emplace(std::move(taken)); });
    return value;
  }

  /// No more values will be sent: senders that wait throw ChannelClosed, receivers take what is
  /// left. Does nothing the second time.
  void close() noexcept {
    closed_ = true;
    senders_.close();
    receivers_.close();  // none waits while there is a value
  }
  bool is_closed() const noexcept { return closed_; }

  /// Values that nobody has taken: of a closed channel, what is left to receive.
  std::size_t size() const noexcept { return ring_.size(); }
  bool empty() const noexcept { return ring_.size() == 0; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Those who wait, in select too.
  std::size_t waiting_receivers() const noexcept { return receivers_.live_count(); }
  std::size_t waiting_senders() const noexcept { return senders_.live_count(); }

  class Iterator;
  /// `for (T& value : channel)` takes each value, until the channel is closed and empty. Waits, as
  /// next() does; so does ++.
  [[gnu::always_inline]] Iterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class impl::ChannelReceiver<T>;
  friend class impl::ChannelSender<T>;
  using Receiver = impl::ChannelReceiver<T>;
  using Sender = impl::ChannelSender<T>;

  /// Room for what receivers may give back is kept, so that giving back can't fail.
  void reserve_one() { ring_.reserve(ring_.size() + handed_.size() + 1); }

  [[gnu::always_inline]] bool pass_on(T& value, const char* call) {
    if (closed_) [[unlikely]]
      impl::throw_channel_closed(call);
    if (impl::ChannelNode* receiver = receivers_.first_live()) {
      reserve_one();
      hand(*receiver, value);
      return true;
    }
    if (ring_.size() >= capacity_) return false;
    reserve_one();
    ring_.push_back(std::move(value));
    return true;
  }

  /// Straight to the receiver's stack.
  [[gnu::always_inline]] void hand(impl::ChannelNode& node, T& value) {
    receivers_.pass(node);
    handed_.append(node);
    static_cast<Receiver&>(node).place(std::move(value));
  }

  template <class Take>
  [[gnu::always_inline]] bool take_now(Take&& take) {
    if (ring_.size() != 0) {
      take(ring_.front());
      ring_.drop_front();
      if (senders_.size() != 0) admit_senders();
      return true;
    }
    if (impl::ChannelNode* sender = senders_.first_live()) {
      senders_.pass(*sender);
      take(static_cast<Sender&>(*sender).value());
      return true;
    }
    return false;
  }

  /// There is room again.
  void admit_senders() {
    while (ring_.size() < capacity_) {
      impl::ChannelNode* sender = senders_.first_live();
      if (sender == nullptr) return;
      reserve_one();
      senders_.pass(*sender);
      ring_.push_back(std::move(static_cast<Sender&>(*sender).value()));
    }
  }

  /// It was handed a value and can't use it. Receivers that were handed a later one, and have not
  /// gone on, move up, so that the order stays; the last of these values is the next to be taken.
  void take_back(Receiver& receiver) noexcept {
    for (impl::ChannelNode* later = receiver.next(); later != nullptr; later = later->next()) {
      receiver.exchange(static_cast<Receiver&>(*later));
    }
    impl::ChannelList::remove(receiver);
    if (impl::ChannelNode* next = receivers_.first_live()) return hand(*next, receiver.value());
    ring_.push_front(std::move(receiver.value()));
  }

  [[gnu::always_inline]] void wait_to_send(T& value) {
    impl::TaskBase& task = impl::TaskBase::running("Channel.send");
    impl::Waiting waiting(task.space(), "Channel.send()");
    Sender sender(*this, waiting, value);
    impl::TaskBase::wait_for_outcome(waiting, "Channel.send");
    sender.check("Channel.send");
  }

  /// False if it is closed and empty.
  template <class Take>
  [[gnu::always_inline]] bool wait_to_receive(const char* call, Take&& take) {
    if (closed_) [[unlikely]]
      return false;
    impl::TaskBase& task = impl::TaskBase::running(call);
    impl::Waiting waiting(task.space(), "Channel.receive()");
    Receiver receiver(*this, waiting);
    impl::TaskBase::wait_until_done(waiting, call);
    if (receiver.outcome() == impl::ChannelNode::Outcome::passed) [[likely]] {
      take(receiver.value());
      receiver.settle();
      return true;
    }
    if (receiver.outcome() == impl::ChannelNode::Outcome::closed) return false;
    impl::throw_outcome(waiting);
  }

  const std::size_t capacity_;
  bool closed_ = false;
  impl::ChannelList receivers_;
  impl::ChannelList senders_;
  impl::ChannelList handed_;  // receivers that have a value and have not gone on
  impl::ChannelRing<T> ring_;
};

namespace impl {

/// Waits for a value, which is put here.
template <class T>
class ChannelReceiver final : public ChannelNode {
 public:
  ChannelReceiver(Channel<T>& channel, FutureBase& ticket) noexcept
      : ChannelNode(ticket), channel_(channel) {
    channel.receivers_.append(*this);
  }
  /// Withdraws; gives back what it was handed.
  ~ChannelReceiver() {
    if (has_value_) [[unlikely]] {
      if (list() != nullptr) channel_.take_back(*this);
      drop();
    } else if (list() != nullptr) [[unlikely]] {
      ChannelList::remove(*this);
    }
  }

  void place(T&& value) noexcept {
    new (&value_) T(std::move(value));
    has_value_ = true;
  }
  T& value() noexcept { return value_; }
  void exchange(ChannelReceiver& other) noexcept {
    T mine(std::move(value_));
    value_.~T();
    new (&value_) T(std::move(other.value_));
    other.value_.~T();
    new (&other.value_) T(std::move(mine));
  }
  /// The value was taken from here.
  void settle() noexcept {
    if (list() != nullptr) ChannelList::remove(*this);
    drop();
  }

 private:
  void drop() noexcept {
    has_value_ = false;
    value_.~T();
  }

  Channel<T>& channel_;
  bool has_value_ = false;
  union {
    T value_;
  };
};

/// Waits for somebody who takes its value from where it is.
template <class T>
class ChannelSender final : public ChannelNode {
 public:
  ChannelSender(Channel<T>& channel, FutureBase& ticket, T& value) noexcept
      : ChannelNode(ticket), value_(value) {
    channel.senders_.append(*this);
  }
  ~ChannelSender() {
    if (list() != nullptr) [[unlikely]]
      ChannelList::remove(*this);
  }

  T& value() const noexcept { return value_; }
  /// Throws if it was not taken.
  [[gnu::always_inline]] void check(const char* call) const {
    if (outcome() == Outcome::passed) [[likely]]
      return;
    if (outcome() == Outcome::closed) throw_channel_closed(call);
    throw_outcome(ticket());
  }

 private:
  T& value_;
};

}  // namespace impl

template <class T>
inline T Channel<T>::receive() {
  std::optional<T> value;
  auto take = [&](T& taken) { value.emplace(std::move(taken)); };
  if (!take_now(take) && !wait_to_receive("Channel.receive", take)) [[unlikely]]
    impl::throw_channel_closed("Channel.receive");
  return std::move(*value);
}

template <class T>
inline std::optional<T> Channel<T>::next() {
  std::optional<T> value;
  auto take = [&](T& taken) { value.emplace(std::move(taken)); };
  if (!take_now(take)) wait_to_receive("Channel.next", take);
  return value;
}

/// Stands at a value that was taken from the channel.
template <class T>
class Channel<T>::Iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using iterator_category = std::input_iterator_tag;
  using pointer = T*;
  using reference = T&;

  explicit Iterator(Channel& channel) : channel_(&channel), value_(channel.next()) {}

  T& operator*() noexcept { return *value_; }
  T* operator->() noexcept { return &*value_; }
  /// Waits for the next value.
  [[gnu::always_inline]] Iterator& operator++() {
    value_ = channel_->next();
    return *this;
  }
  [[gnu::always_inline]] void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& one, std::default_sentinel_t) noexcept {
    return !one.value_.has_value();
  }

 private:
  Channel* channel_;
  std::optional<T> value_;
};

template <class T>
inline auto Channel<T>::begin() -> Iterator {
  return Iterator(*this);
}

}  // namespace jumpcut
