#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace jumpcut::impl {

// How queues keep their items. If one of these throws, all items are where they were.

/// The oldest first.
template <class T>
class FifoItems {
 public:
  template <class Item>
  void push(Item&& item) {
    items_.push_back(std::forward<Item>(item));
  }
  T pop() {
    T item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }
  /// Takes them all out.
  auto take() { return std::exchange(items_, {}); }

 private:
  std::deque<T> items_;
};

/// The newest first.
template <class T>
class LifoItems {
 public:
  template <class Item>
  void push(Item&& item) {
    items_.push_back(std::forward<Item>(item));
  }
  T pop() {
    T item(std::move(items_.back()));
    items_.pop_back();
    return item;
  }
  auto take() { return std::exchange(items_, {}); }

 private:
  std::vector<T> items_;
};

/// The least first; of equal ones the oldest. A heap; compares first, and moves items when it knows
/// where to, so that a comparison may throw.
template <class T, class Compare>
class PriorityItems {
 public:
  explicit PriorityItems(Compare less) : less_(std::move(less)) {}

  template <class Item>
  void push(Item&& item) {
    const T& value = item;
    std::size_t place = items_.size();
    while (place > 0 && less_(value, items_[parent(place)].value)) place = parent(place);
    items_.emplace_back(std::forward<Item>(item), next_number_);
    ++next_number_;
    for (std::size_t at = items_.size() - 1; at != place; at = parent(at)) {
      std::swap(items_[at], items_[parent(at)]);
    }
  }
  T pop() {
    const std::size_t count = items_.size() - 1;  // when the last has taken the first's place
    const Entry& last = items_[count];
    std::size_t place = 0;
    for (std::size_t child; (child = 2 * place + 1) < count; place = child) {
      if (child + 1 < count && before(items_[child + 1], items_[child])) ++child;
      if (!before(items_[child], last)) break;
    }
    // Each on that path goes up one place, and the first to the end.
    for (std::size_t at = place; count > 0; at = parent(at)) {
      std::swap(items_[count], items_[at]);
      if (at == 0) break;
    }
    T item(std::move(items_[count].value));
    items_.pop_back();
    return item;
  }
  auto take() { return std::exchange(items_, {}); }

 private:
  struct Entry {
    template <class Item>
    Entry(Item&& item, std::uint64_t when) : value(std::forward<Item>(item)), number(when) {}

    T value;
    std::uint64_t number;
  };

  static std::size_t parent(std::size_t place) { return (place - 1) / 2; }
  bool before(const Entry& one, const Entry& other) {
    if (less_(one.value, other.value)) return true;
    return one.number < other.number && !less_(other.value, one.value);
  }

  std::vector<Entry> items_;
  std::uint64_t next_number_ = 0;
  Compare less_;
};

}  // namespace jumpcut::impl
