#pragma once

#include <jumpcut/impl/future_base.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace jumpcut::impl {

class ChannelList;

/// One who waits at a channel, on its own stack. Its ticket may be shared by the cases of a select,
/// and is done as soon as one of them has happened or the task was cancelled.
class ChannelNode {
 public:
  enum class Outcome : std::uint8_t { none, passed, closed };

  explicit ChannelNode(FutureBase& ticket) noexcept : ticket_(ticket) {}
  ChannelNode(const ChannelNode&) = delete;
  ChannelNode& operator=(const ChannelNode&) = delete;

  FutureBase& ticket() const noexcept { return ticket_; }
  Outcome outcome() const noexcept { return outcome_; }
  /// The list that it is in: of those that wait, or of receivers that were handed a value and have
  /// not gone on. Null also when the channel is gone.
  ChannelList* list() const noexcept { return list_; }
  ChannelNode* next() const noexcept { return next_; }

 protected:
  ~ChannelNode() = default;

 private:
  friend class ChannelList;

  FutureBase& ticket_;
  ChannelNode* next_ = nullptr;
  ChannelNode* previous_ = nullptr;
  ChannelList* list_ = nullptr;
  Outcome outcome_ = Outcome::none;
};

/// Those who wait, in the order in which they came.
class ChannelList {
 public:
  void append(ChannelNode& node) noexcept {
    node.list_ = this;
    node.next_ = nullptr;
    node.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &node;
    last_ = &node;
    ++size_;
  }
  static void remove(ChannelNode& node) noexcept {
    ChannelList& list = *node.list_;  // NOLINT(clang-analyzer-*): one that is in a list
    (node.previous_ != nullptr ? node.previous_->next_ : list.first_) = node.next_;
    (node.next_ != nullptr ? node.next_->previous_ : list.last_) = node.previous_;
    node.list_ = nullptr;
    --list.size_;
  }
  /// The first that still wants to; drops those before it that don't.
  [[gnu::always_inline]] ChannelNode* first_live() noexcept {
    while (first_ != nullptr && first_->ticket_.is_done()) remove(*first_);
    return first_;
  }
  /// What the first waits for happens: it becomes ready. Throws RuntimeError on another thread, and
  /// then nothing has changed.
  [[gnu::always_inline]] void pass(ChannelNode& node) {
    node.ticket_.finish();
    remove(node);
    node.outcome_ = ChannelNode::Outcome::passed;
  }
  /// Everybody becomes ready, and finds the channel closed.
  JUMPCUT_API void close() noexcept;
  /// The channel goes: nobody may come back here.
  JUMPCUT_API void abandon() noexcept;
  std::size_t size() const noexcept { return size_; }
  std::size_t live_count() const noexcept {
    std::size_t count = 0;
    for (const ChannelNode* one = first_; one != nullptr; one = one->next_) {
      if (!one->ticket_.is_done()) ++count;
    }
    return count;
  }

 private:
  ChannelNode* first_ = nullptr;
  ChannelNode* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Values in a row, with room for more at both ends once reserve() said so.
template <class T>
class ChannelRing {
 public:
  ChannelRing() noexcept = default;
  ChannelRing(const ChannelRing&) = delete;
  ChannelRing& operator=(const ChannelRing&) = delete;
  ~ChannelRing() {
    while (size_ != 0) drop_front();
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, room_);
  }

  std::size_t size() const noexcept { return size_; }
  /// Throws std::bad_alloc.
  void reserve(std::size_t count) {
    if (count > room_) [[unlikely]]
      grow(count);
  }
  T& front() noexcept { return slots_[head_]; }
  void drop_front() noexcept {
    slots_[head_].~T();
    head_ = (head_ + 1) & (room_ - 1);
    --size_;
  }
  void push_back(T&& value) noexcept {
    new (&slots_[(head_ + size_) & (room_ - 1)]) T(std::move(value));
    ++size_;
  }
  void push_front(T&& value) noexcept {
    head_ = (head_ - 1) & (room_ - 1);
    new (&slots_[head_]) T(std::move(value));
    ++size_;
  }

 private:
  void grow(std::size_t count) {
    std::size_t room = room_ == 0 ? 8 : room_;
    while (room < count) room *= 2;
    T* slots = std::allocator<T>().allocate(room);
    const std::size_t size = size_;
    for (std::size_t i = 0; i < size; ++i) {
      new (&slots[i]) T(std::move(front()));
      drop_front();
    }
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, room_);
    slots_ = slots;
    room_ = room;
    head_ = 0;
    size_ = size;
  }

  T* slots_ = nullptr;
  std::size_t room_ = 0;  // a power of two, or 0
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

[[noreturn]] JUMPCUT_API void throw_channel_closed(const char* call);
/// Throws what the ticket ended with, which is a cancellation.
[[noreturn]] JUMPCUT_API void throw_outcome(FutureBase& ticket);

}  // namespace jumpcut::impl
