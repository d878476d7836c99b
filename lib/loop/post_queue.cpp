#include "post_queue.hpp"

#include "base/check.hpp"
#include "base/system_error.hpp"

#include <cerrno>
#include <utility>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

// Values of head_ that are no node; these are never linked.
PostNode asleep;
PostNode closed;

bool is_node(const PostNode* head) noexcept {
  return head != nullptr && head != &asleep && head != &closed;
}

PostNode* reversed(PostNode* last) noexcept {
  PostNode* first = nullptr;
  while (last != nullptr) {
    PostNode* before = std::exchange(last->next, first);
    first = std::exchange(last, before);
  }
  return first;
}

}  // namespace

PostQueue::PostQueue(std::atomic<std::uint32_t>& attention, std::uint32_t bit)
    : attention_(attention), bit_(bit), fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw_system_error(errno, "eventfd");
}

PostQueue::~PostQueue() {
  JUMPCUT_CHECK(!is_node(head_.load(std::memory_order_relaxed)),
                "a post queue is destroyed with something in it");
  if (fd_ >= 0) ::close(fd_);
}

bool PostQueue::push(PostNode& node) noexcept {
  PostNode* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == &closed) return false;
    node.next = is_node(head) ? head : nullptr;
  } while (!head_.compare_exchange_weak(head, &node, std::memory_order_release,
                                        std::memory_order_relaxed));
  if (!is_node(head)) open_list(head == &asleep);
  return true;
}

void PostQueue::open_list(bool consumer_sleeps) noexcept {
  // After the push: the consumer clears the bit before it takes the list, and so takes every list
  // whose bit it clears.
  attention_.fetch_or(bit_, std::memory_order_release);
  if (consumer_sleeps) {
    const int error = errno;
    const std::uint64_t one = 1;
    // Not write(), where a thread may be cancelled. EAGAIN: so full that it is readable anyway.
    while (syscall(SYS_write, fd_, &one, sizeof one) < 0 && errno != EAGAIN) {
      if (errno != EINTR) fail("a loop's eventfd, %d, was closed by somebody else", fd_);
    }
    errno = error;
  }
  announced_.fetch_add(1, std::memory_order_release);
  announced_.notify_one();
}

[[gnu::hot]] PostNode* PostQueue::drain() noexcept {
  if ((attention_.load(std::memory_order_relaxed) & bit_) != 0) {
    attention_.fetch_and(~bit_, std::memory_order_acquire);
  }
  if (!is_node(head_.load(std::memory_order_relaxed))) return nullptr;
  ++taken_;
  return reversed(head_.exchange(nullptr, std::memory_order_acquire));
}

[[gnu::hot]] bool PostQueue::prepare_to_sleep() noexcept {
  PostNode* expected = nullptr;
  return head_.compare_exchange_strong(expected, &asleep, std::memory_order_relaxed) ||
         expected == &asleep;
}

[[gnu::hot]] void PostQueue::awake() noexcept {
  PostNode* expected = &asleep;
  head_.compare_exchange_strong(expected, nullptr, std::memory_order_relaxed);
}

void PostQueue::drain_fd() noexcept {
  std::uint64_t count = 0;
  while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

PostNode* PostQueue::close() noexcept {
  PostNode* head = head_.exchange(&closed, std::memory_order_acquire);
  PostNode* rest = nullptr;
  if (is_node(head)) {
    ++taken_;
    rest = reversed(head);
  }
  // An opener may be on its way from its push to the consumer's `attention` and the eventfd.
  for (std::uint32_t told; (told = announced_.load(std::memory_order_acquire)) != taken_;) {
    announced_.wait(told, std::memory_order_relaxed);
  }
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  return rest;
}

}  // namespace jumpcut::impl
