#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/socket.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace jumpcut {

namespace impl {
class StreamDoor;
class StreamState;
}  // namespace impl

/// The peer sent no more before all that was asked for had come. asyncio.IncompleteReadError.
class JUMPCUT_API IncompleteReadError : public std::runtime_error {
 public:
  IncompleteReadError(std::string partial, std::optional<std::size_t> expected);
  /// What had come; it is not in the stream any more.
  const std::string& partial() const noexcept { return partial_; }
  /// How much was asked for; none for read_until().
  std::optional<std::size_t> expected() const noexcept { return expected_; }

 private:
  std::string partial_;
  std::optional<std::size_t> expected_;
};

/// There is no separator within the stream's limit. What has come is still there.
/// asyncio.LimitOverrunError.
class JUMPCUT_API LimitOverrunError : public std::runtime_error {
 public:
  LimitOverrunError(const char* what, std::size_t consumed)
      : std::runtime_error(what), consumed_(consumed) {}
  /// So much of what has come has no separator.
  std::size_t consumed() const noexcept { return consumed_; }

 private:
  std::size_t consumed_;
};

struct StreamOptions {
  /// Of what read_until() and read_line() look for a separator in.
  std::size_t limit = 64 * 1024;
  /// write() waits while more than `high_water` is unsent, until no more than `low_water` is.
  std::size_t high_water = 64 * 1024;
  std::size_t low_water = 16 * 1024;
};

/// A connection that is read by bytes and lines, and written through a buffer: asyncio's
/// StreamReader and StreamWriter in one. One task may read at a time, and any number write. Belongs
/// to the loop whose tasks use it. What an operation throws is what Socket's would.
class JUMPCUT_API Stream {
 public:
  /// None.
  Stream() noexcept = default;
  /// A connected socket's. Throws ValueError if low_water is above high_water.
  explicit Stream(Socket socket, const StreamOptions& options = {});
  /// The same of a pipe's end, or a terminal. write_eof() closes it.
  explicit Stream(Descriptor pipe, const StreamOptions& options = {});
  Stream(Stream&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    const Stream before(std::move(*this));
    std::swap(state_, other.state_);
    return *this;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// close().
  ~Stream() {
    if (state_ != nullptr) dismiss();
  }

  // Reading. A second task that reads meanwhile gets RuntimeError. After a Cancelled, what has come
  // is still there.

  /// Waits until something has come, and returns up to so much of it; "" at the end.
  std::string read(std::size_t most);
  /// The same into memory of the caller's; returns how much that is, 0 at the end. It takes no
  /// memory of its own, and nothing is put there before it is about to return.
  std::size_t read_into(std::span<char> buffer);
  /// Returns once the peer sends no more: all until then.
  std::string read();
  /// Returns once so much has come. Throws IncompleteReadError.
  std::string read_exactly(std::size_t size);
  /// Returns once a separator has come: all up to it, and it. Throws IncompleteReadError,
  /// LimitOverrunError, and ValueError for an empty separator.
  std::string read_until(std::string_view separator = "\n");
  /// The same with the first of several; of two that end at the same place the longer.
  std::string read_until(std::span<const std::string_view> separators);
  /// The same into a string of the caller's, whose memory it uses again.
  void read_until_into(std::string& text, std::string_view separator = "\n");
  /// Returns once a line has come, with its "\n", which the last may not have; "" at the end.
  /// Throws ValueError for one that is longer than the limit, which is then dropped.
  std::string read_line();
  /// The same into a string of the caller's, whose memory it uses again; false at the end.
  bool read_line_into(std::string& line);
  /// The peer sends no more, and all that came is read.
  bool at_eof() const noexcept;

  class LineIterator;
  /// `for (std::string& line : stream)` takes each line until the end. Waits, as read_line() does;
  /// so does ++.
  LineIterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

  // Writing.

  /// Sends what it can at once, and keeps the rest, which is sent when there is room. Waits if that
  /// is more than the high-water mark, until it is no more than the low one; a Cancelled then
  /// leaves it to be sent. Throws what sending failed with, also earlier; RuntimeError after
  /// write_eof(), DescriptorClosed after close(). If sending fails later, other than because the
  /// peer is gone, the connection is closed, and who reads throws that too.
  void write(std::string_view data);
  /// Returns once no more than the low-water mark is unsent, if it was above the high one. Throws
  /// what sending failed with.
  void drain();
  /// Unsent.
  std::size_t write_buffer_size() const noexcept;
  /// Tells the peer, once all is sent, that no more comes. Reading goes on.
  void write_eof();

  /// Closes it once all is sent. Who reads then finds what has come, and the end. Does nothing the
  /// second time.
  void close();
  /// Closes it now: what is unsent is dropped.
  void abort();
  bool is_closing() const noexcept;
  /// Returns once it is closed, all being sent. Throws what sending failed with.
  void wait_closed();

  /// For its addresses and options, which a pipe does not have.
  Socket& socket();

 private:
  friend class impl::StreamDoor;

  Stream(Socket socket, bool pipe, const StreamOptions& options);
  impl::StreamState& state(const char* call) const;
  [[noreturn]] static void refuse(const char* call);
  void take_line(std::string& line, const char* call);
  void dismiss() noexcept;

  impl::StreamState* state_ = nullptr;
};

class Stream::LineIterator {
 public:
  using difference_type = std::ptrdiff_t;
  using value_type = std::string;

  explicit LineIterator(Stream& stream) : stream_(&stream) { ++*this; }
  std::string& operator*() noexcept { return line_; }
  LineIterator& operator++() {
    stream_->read_line_into(line_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const LineIterator& one, std::default_sentinel_t) noexcept {
    return one.line_.empty();
  }

 private:
  Stream* stream_;
  std::string line_;
};

inline Stream::LineIterator Stream::begin() {
  return LineIterator(*this);
}

/// Returns once it is connected, with TCP_NODELAY on. A name is looked up, and its addresses are
/// tried in turn, of IPv6 and IPv4 alternately: the next when one has failed, or has not answered
/// for a quarter of a second; the first that answers wins. Throws what getaddrinfo() throws, and
/// what Socket::connect() does: of all addresses, if all failed.
JUMPCUT_API Stream open_connection(std::string_view host, std::uint16_t port,
                                   const StreamOptions& options = {});
JUMPCUT_API Stream open_connection(const Address& address, const StreamOptions& options = {});
/// The same to a Unix socket's path.
JUMPCUT_API Stream open_unix_connection(std::string_view path, const StreamOptions& options = {});

}  // namespace jumpcut
