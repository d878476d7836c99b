#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace jumpcut {

namespace impl {
class DescriptorState;
class Operation;
}  // namespace impl

struct PipeEnds;
JUMPCUT_API PipeEnds make_pipe();

/// Owns a descriptor that can be waited for, and reads and writes it: a pipe, a terminal, or, as
/// Socket, a socket. It never blocks the thread: each operation makes its system call at once, and
/// the task waits only if that says that it would block. A task that makes very many without
/// waiting lets others have a turn before the next, in which it may be cancelled too. EINTR is not
/// seen, and no SIGPIPE comes.
///
/// Belongs to one loop from the first wait on, until that is closed. Used by that loop's thread
/// only. Any number of tasks may use it at once.
///
/// All operations throw std::system_error, whose text names the call, the descriptor and the peer;
/// ResourceError where a limit is hit; DescriptorClosed if it is closed, meanwhile or before;
/// RuntimeError outside a task, and in another loop's.
class JUMPCUT_API Descriptor {
 public:
  /// None.
  Descriptor() noexcept = default;
  Descriptor(Descriptor&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Descriptor before(std::move(*this));
    std::swap(state_, other.state_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  /// Closes it.
  ~Descriptor() {
    if (state_ != nullptr) dismiss();
  }
  /// Takes over a descriptor, which becomes non-blocking, for all who share the file, and is closed
  /// by exec. Throws std::system_error; then the descriptor is still the caller's.
  static Descriptor adopt(int fd);

  /// Waits until there is something to read, and returns up to so much of it; "" at the end. Throws
  /// Cancelled; then nothing was taken.
  std::string read(std::size_t most);
  std::size_t read_into(std::span<char> buffer);
  /// The same into several buffers, one after the other.
  std::size_t readv(std::span<const std::span<char>> buffers);
  /// Waits until there is room, and returns how much was written. Throws Cancelled; then nothing
  /// was.
  std::size_t write(std::string_view data);
  /// The same from several buffers, one after the other.
  std::size_t writev(std::span<const std::string_view> buffers);
  /// Returns once all is written, for which it may wait. If it throws, nobody knows how much was.
  void write_all(std::string_view data);

  /// Tasks that wait in an operation throw DescriptorClosed. Does nothing the second time. Throws
  /// RuntimeError on another thread than its loop's.
  void close();
  bool is_open() const noexcept { return fd() >= 0; }
  /// -1 if there is none.
  int fd() const noexcept;
  /// Gives the descriptor up without closing it; tasks that wait throw DescriptorClosed.
  int release();

 protected:
  /// Room for one, so that nothing can go wrong once there is one.
  struct Room {};
  explicit Descriptor(Room);
  void take_over(int fd, bool is_socket, bool is_stream) noexcept;
  /// Throws DescriptorClosed, with the call's name, if it is not open.
  int open_fd(const char* call) const;

 private:
  friend class impl::Operation;
  friend PipeEnds make_pipe();

  void dismiss() noexcept;

  impl::DescriptorState* state_ = nullptr;
};

/// The two ends of a pipe, which make_pipe() makes.
struct PipeEnds {
  Descriptor reader;
  Descriptor writer;
};

}  // namespace jumpcut
