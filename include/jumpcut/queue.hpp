#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/queue_base.hpp>
#include <jumpcut/impl/queue_items.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// put_nowait() found the queue full.
class JUMPCUT_API QueueFull : public std::runtime_error {
 public:
  QueueFull() : std::runtime_error("the queue is full") {}
};

/// get_nowait() found the queue empty.
class JUMPCUT_API QueueEmpty : public std::runtime_error {
 public:
  QueueEmpty() : std::runtime_error("the queue is empty") {}
};

/// The queue was shut down: nothing is put into it any more, and, if this is what get() throws,
/// nothing is left in it.
class JUMPCUT_API QueueShutDown : public std::runtime_error {
 public:
  QueueShutDown() : std::runtime_error("the queue is shut down") {}
};

namespace impl {

/// What all queues can do.
template <class T, class Items>
class QueueOf : public QueueBase {
 public:
  static_assert(!std::is_reference_v<T>, "a queue holds values; use a pointer");

  /// Waits until there is room, and adds the item; at once, and without switching, if there is. A
  /// task that runs may take the room before the one that was woken for it, which then waits again.
  /// Throws QueueShutDown, Cancelled, and RuntimeError outside a task and in another loop's; the
  /// item is the caller's still then.
  void put(const T& item) {
    wait_to_put();
    add(item);
  }
  void put(T&& item) {
    wait_to_put();
    add(std::move(item));
  }
  /// Adds it now, or throws QueueFull or QueueShutDown. From callbacks too.
  void put_nowait(const T& item) {
    check_can_put();
    add(item);
  }
  void put_nowait(T&& item) {
    check_can_put();
    add(std::move(item));
  }

  /// Waits until there is an item, and takes it out; at once, and without switching, if there is.
  /// A task that runs may take it before the one that was woken for it, which then waits again, as
  /// the last. Throws QueueShutDown if there is none and the queue is shut down, Cancelled, and
  /// RuntimeError outside a task and in another loop's.
  T get() {
    wait_to_get();
    return remove();
  }
  /// Takes it out now, or throws QueueEmpty, or QueueShutDown. From callbacks too.
  T get_nowait() {
    check_can_get();
    return remove();
  }

  /// From now on put() throws QueueShutDown, and so does get() once the queue is empty. If
  /// `immediate`, it is emptied now, and the items count as done. Those who wait in put() and get()
  /// are woken. From callbacks too.
  void shutdown(bool immediate = false) {
    check_can_shut_down();
    if (!immediate) return begin_shutdown(false);
    const auto dropped =
        items_.take();  // what their destructors call finds the queue as it is then
    begin_shutdown(true);
  }

 protected:
  explicit QueueOf(std::ptrdiff_t maxsize, Items items = Items())
      : QueueBase(maxsize), items_(std::move(items)) {}
  ~QueueOf() = default;

 private:
  template <class Item>
  void add(Item&& item) {
    try {
      items_.push(std::forward<Item>(item));
    } catch (...) {
      pass_on_put();
      throw;
    }
    count_put();
  }
  T remove() {
    try {
      T item = items_.pop();
      count_get();
      return item;
    } catch (...) {
      pass_on_get();
      throw;
    }
  }

  Items items_;
};

}  // namespace impl

/// Hands items from tasks that put them in to tasks that take them out, the oldest first:
/// asyncio.Queue. T may be a type that can only be moved.
///
/// For the tasks of one loop: the first that waits in it binds it to that loop. No task may be
/// waiting in it when it is destroyed.
template <class T>
class Queue : public impl::QueueOf<T, impl::FifoItems<T>> {
 public:
  /// Has room for so many items; for any number if that is 0 or less.
  explicit Queue(std::ptrdiff_t maxsize = 0) : impl::QueueOf<T, impl::FifoItems<T>>(maxsize) {}
};

/// A queue that gives the newest item first: asyncio.LifoQueue.
template <class T>
class LifoQueue : public impl::QueueOf<T, impl::LifoItems<T>> {
 public:
  explicit LifoQueue(std::ptrdiff_t maxsize = 0) : impl::QueueOf<T, impl::LifoItems<T>>(maxsize) {}
};

/// A queue that gives the least item first, and of equal ones the oldest: asyncio.PriorityQueue,
/// which leaves the order of equal ones open.
template <class T, class Compare = std::less<T>>
class PriorityQueue : public impl::QueueOf<T, impl::PriorityItems<T, Compare>> {
 public:
  explicit PriorityQueue(std::ptrdiff_t maxsize = 0, Compare less = Compare())
      : impl::QueueOf<T, impl::PriorityItems<T, Compare>>(
            maxsize, impl::PriorityItems<T, Compare>(std::move(less))) {}
};

}  // namespace jumpcut
