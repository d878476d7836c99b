// A stream's buffers, shared by the Stream, the operations on it, and the task that sends.

#pragma once

#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/stream.hpp>

#include "io/waiters.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace jumpcut::impl {

/// Bytes that go in at one end and out at the other.
class ByteQueue {
 public:
  std::string_view view() const noexcept { return std::string_view(bytes_).substr(begin_); }
  std::size_t size() const noexcept { return bytes_.size() - begin_; }
  void append(std::string_view data) { bytes_.append(data); }
  void drop(std::size_t size) noexcept {
    begin_ += size;
    // Moves no byte more often than once on the average.
    if (begin_ * 2 < bytes_.size()) return;
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
  std::string take(std::size_t size) {
    std::string taken;
    take_to(taken, size);
    return taken;
  }
  void take_to(std::string& text, std::size_t size) {
    text = view().substr(0, size);
    drop(size);
  }
  std::size_t take_into(std::span<char> buffer) noexcept {
    const std::size_t taken = view().copy(buffer.data(), buffer.size());
    drop(taken);
    return taken;
  }
  void clear() noexcept {
    bytes_.clear();
    begin_ = 0;
  }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
};

/// Who has taken over a stream's socket.
class StreamSuccessor {
 public:
  StreamSuccessor() noexcept = default;
  StreamSuccessor(const StreamSuccessor&) = delete;
  StreamSuccessor& operator=(const StreamSuccessor&) = delete;
  /// The stream was told to close, or to abort.
  virtual void close_stream() = 0;
  virtual void abort_stream() = 0;

 protected:
  ~StreamSuccessor() = default;
};

class Operation;
class StreamState;

/// The way from a Stream to its state.
class StreamDoor {
 public:
  static StreamState& state(Stream& stream, const char* call) { return stream.state(call); }
};

/// References to it are counted by its loop's thread alone.
class alignas(cache_line) StreamState {
 public:
  StreamState(Socket connected, bool pipe, const StreamOptions& wanted)
      : socket(std::move(connected)), is_socket(!pipe), options(wanted) {}

  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  void add_ref() noexcept { ++references_; }
  void drop_ref() noexcept {
    if (--references_ == 0) [[unlikely]]
      destroy();
  }

  // Reading.

  /// Waits until more has come; false at the end.
  bool fill();
  /// The same before the end: what has come, in memory of the thread's, there until the next wait.
  std::string_view receive_some();
  /// Waits until something has come, and returns up to so much of it; "" at the end.
  std::string read(std::size_t most);
  /// The same, put into the buffer: how much that is, 0 at the end.
  std::size_t read_into(std::span<char> buffer);
  /// While it lives, no other task reads.
  class Reading {
   public:
    Reading(StreamState& state, const char* call) : state_(&state) {
      if (state.reading_) [[unlikely]]
        refuse(call);
      state.reading_ = true;
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { state_->reading_ = false; }
    StreamState* operator->() const noexcept { return state_.get(); }

   private:
    [[noreturn]] static void refuse(const char* call);

    const Ref<StreamState> state_;
  };

  // Writing.

  void write(std::string_view data);
  void drain(const char* call);
  void write_eof();
  void close();
  void abort() noexcept;
  void wait_closed();

  Socket socket;  // or a pipe's end, for which what Descriptor has is called alone

 private:
  class Sending;

  std::uint32_t references_ = 1;

 public:
  bool is_socket : 1;
  bool eof : 1 = false;      ///< the peer sends no more
  bool closing : 1 = false;  ///< close() was called

 private:
  bool reading_ : 1 = false;
  bool sending_ : 1 = false;  // a task sends: just as long as there is something to send
  bool paused_ : 1 = false;   // it was above the high-water mark, and not yet below the low one
  bool eof_wanted_ : 1 = false;
  std::exception_ptr error_;

 public:
  ByteQueue incoming;
  // A request that is read and answered at once touches nothing of what follows.
  ByteQueue outgoing;
  const StreamOptions options;
  std::weak_ptr<StreamSuccessor> successor;

 private:
  ~StreamState() = default;
  [[gnu::noinline]] void destroy() noexcept { delete this; }
  /// Something more; 0 at the end. Inlined: with very many connections, each frame less on the
  /// stack of who waits is memory less to fetch when it goes on.
  [[gnu::always_inline]] inline std::size_t receive(const char* call, std::span<char> room);
  [[gnu::always_inline]] inline void send_now(std::string_view& data);
  [[noreturn]] void fail_now(const Operation& operation);
  void send_later(std::string_view data);
  [[noreturn]] void refuse_write() const;
  void wait_for_room(const char* call);
  void end_writing();
  void send_all();
  void end_sending() noexcept;
  void fail(std::exception_ptr error) noexcept;
  void close_now() noexcept;
  void check_error() const;

  Waiters waiters_{"stream"};  // for room, or for the close
};

}  // namespace jumpcut::impl
