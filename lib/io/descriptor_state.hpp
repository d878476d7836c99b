// What a Descriptor refers to, and an operation on it.

#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/descriptor.hpp>
#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "io/bare_calls.hpp"
#include "loop/loop_state.hpp"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>
#include <sys/uio.h>

namespace jumpcut::impl {

/// The descriptor itself. Operations hold a reference, since their Descriptor may be destroyed
/// while they wait.
class alignas(cache_line) DescriptorState {
 public:
  DescriptorState() noexcept = default;
  DescriptorState(const DescriptorState&) = delete;
  DescriptorState& operator=(const DescriptorState&) = delete;

  /// -1 once it is closed.
  int fd() const noexcept { return fd_; }
  bool is_socket() const noexcept { return is_socket_; }
  /// Of a stream's bytes: a read that returns less than was asked for has left nothing. That is not
  /// so where what was written keeps its bounds: of datagrams, and of a terminal's lines.
  bool is_stream() const noexcept { return is_stream_; }
  void take_over(int fd, bool is_socket, bool is_stream) noexcept {
    fd_ = number_ = fd;
    is_socket_ = is_socket;
    is_stream_ = is_stream;
  }
  void close() noexcept;
  /// Throws RuntimeError on another thread than its loop's, while there is one.
  void check_thread(const char* call) const;
  bool is_elsewhere() const noexcept;
  /// It belongs to nobody any more. Ends the waits; returns the descriptor.
  int let_go() noexcept;

  void add_ref() noexcept { ++references_; }
  void drop_ref() noexcept {
    if (--references_ == 0) [[unlikely]]
      destroy();
  }

  [[noreturn]] void throw_closed(const char* call) const;
  /// Throws what errno `error` means. `peer` is where it was to go, if it was not to the
  /// descriptor's own peer.
  [[noreturn]] void fail(const char* call, int error, const Address* peer = nullptr) const;

  /// A read of a stream's returned less than it had room for. Until the poller tells of more, there
  /// is nothing: who reads need not ask, but can wait() at once.
  void note_drained() const noexcept {
    if (!is_stream_ || watched_ == nullptr || watched_->generation != owner_) return;
    // Not where the end came together with what was read: nobody tells of that again.
    if (watched_->interest != 0) watched_->drained = !watched_->ended;
  }
  bool is_drained() const noexcept {
    return watched_ != nullptr && watched_->generation == owner_ && watched_->drained;
  }
  /// Waits until that is so, or until `deadline`. Throws DescriptorClosed, Cancelled.
  void wait(LoopState& loop, const char* call, std::uint32_t ready, TimePoint deadline);

 private:
  ~DescriptorState() { close(); }
  void destroy() noexcept;
  void bind(LoopState& loop, const char* call);
  [[gnu::noinline]] void wait_until(LoopState& loop, DescriptorWait& one, TimePoint deadline);

  // From the first wait on.
  std::shared_ptr<Descriptors> descriptors_;  // its loop's
  Watched* watched_ = nullptr;                // its own there
  std::uint32_t owner_ = 0;                   // the generation, as long as it is its own
  std::uint32_t references_ = 1;
  int fd_ = -1;
  int number_ = -1;  // what fd_ was, for reports
  bool is_socket_ = false;
  bool is_stream_ = false;
};

/// One call of a task.
class Operation {
 public:
  /// `call` is its name. Lets others have a turn if this task has made many of them without
  /// waiting. Throws DescriptorClosed if it is not open, RuntimeError outside a task, Cancelled.
  Operation(const Descriptor& descriptor, const char* call)
      : loop_(loop_of_task(call)), state_(open(descriptor, call)), call_(call) {
    // Before the call, so that what it brings is not lost if the task is cancelled here.
    if (loop_.descriptors->is_share_used()) [[unlikely]]
      let_others_go_on();
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() = default;

  DescriptorState& state() const noexcept { return *state_; }
  int fd() const noexcept { return state_->fd(); }
  LoopState& loop() const noexcept { return loop_; }
  const char* call() const noexcept { return call_; }

  /// Makes the system call until it doesn't say that it would wait; returns what it does.
  template <class Call>
  std::size_t run(std::uint32_t ready, Call call, const Address* peer = nullptr) const {
    for (;;) {
      const ssize_t result = call(fd());
      if (result >= 0) [[likely]]
        return static_cast<std::size_t>(result);
      const int error = errno;
      if (error == EINTR) continue;
      if (error != EAGAIN && error != EWOULDBLOCK) state_->fail(call_, error, peer);
      wait(ready);
    }
  }
  /// write() and writev(), by which no SIGPIPE comes.
  ssize_t write_some(std::string_view data) const noexcept {
    if (state_->is_socket()) return send_bare(fd(), data, 0);
    iovec one{const_cast<char*>(data.data()), data.size()};
    return write_some(&one, 1);
  }
  ssize_t write_some(iovec* vectors, int count) const noexcept;
  void wait(std::uint32_t ready, TimePoint deadline = TimePoint::max()) const {
    state_->wait(loop_, call_, ready, deadline);
  }

 private:
  /// Not by way of the task, which a call need not touch.
  static LoopState& loop_of_task(const char* call) {
    static_cast<void>(TaskBase::running(call));
    return LoopState::of(*this_core->tasks->loop);
  }
  static DescriptorState* open(const Descriptor& descriptor, const char* call) {
    if (descriptor.state_ == nullptr || descriptor.state_->fd() < 0) [[unlikely]]
      static_cast<void>(descriptor.open_fd(call));  // throws
    return descriptor.state_;
  }
  [[gnu::noinline]] void let_others_go_on() const;

  LoopState& loop_;
  Ref<DescriptorState> state_;
  const char* call_;
};

}  // namespace jumpcut::impl
