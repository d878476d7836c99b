#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace jumpcut {

class Protocol;

namespace impl {
class DatagramTransportState;
class StreamTransport;
class TransportState;
}  // namespace impl

/// What Transport and DatagramTransport have in common: asyncio.BaseTransport. A reference; copies
/// refer to the same one, and the loop keeps it until connection_lost() has been called. Its loop's
/// thread's: all but the constructors throw RuntimeError on others, and where it refers to none.
/// Nothing waits but sendfile().
class JUMPCUT_API BaseTransport {
 public:
  /// None.
  BaseTransport() noexcept = default;
  explicit operator bool() const noexcept { return state_ != nullptr; }
  friend bool operator==(const BaseTransport&, const BaseTransport&) = default;

  /// Reads no more, and calls connection_lost(nullptr) in a turn of its own once all is sent. Does
  /// nothing the second time.
  void close() const;
  /// The same, and drops what is unsent.
  void abort() const;
  /// It was closed, by either side.
  bool is_closing() const;

  /// Bytes that are unsent.
  std::size_t get_write_buffer_size() const;
  /// Above `high` unsent bytes pause_writing() is called, and at `low` resume_writing(). If `high`
  /// is left out it is 4 * low, or 64 KiB; `low`, a quarter of `high`. Throws ValueError if low is
  /// above high.
  void set_write_buffer_limits(std::optional<std::size_t> high = std::nullopt,
                               std::optional<std::size_t> low = std::nullopt) const;
  /// Low and high.
  std::pair<std::size_t, std::size_t> get_write_buffer_limits() const;

  /// The socket's own address and its peer's, from when it began; get_extra_info("sockname"), and
  /// "peername". None if it has none.
  const Address& getsockname() const;
  const Address& getpeername() const;
  /// The socket, for its options; -1 once it is closed.
  int fd() const;

 protected:
  explicit BaseTransport(std::shared_ptr<impl::TransportState> state) noexcept
      : state_(std::move(state)) {}
  impl::TransportState& state(const char* call) const;

  std::shared_ptr<impl::TransportState> state_;
};

/// A connection of a Protocol's: asyncio.Transport. Or a pipe's end: asyncio.ReadTransport or
/// WriteTransport, for which the calls of the other direction throw RuntimeError.
class JUMPCUT_API Transport : public BaseTransport {
 public:
  /// None.
  Transport() noexcept = default;
  explicit Transport(std::shared_ptr<impl::StreamTransport> state) noexcept;

  /// Sends what it can at once, and the rest when there is room. If that fails, connection_lost()
  /// is told. Dropped once the connection is lost. Throws RuntimeError after write_eof().
  void write(std::string_view data) const;
  /// One after the other, as one.
  void writelines(std::span<const std::string_view> data) const;
  /// Tells the peer, once all is sent, that no more comes. Reading goes on; a pipe is closed.
  /// Throws std::system_error.
  void write_eof() const;

  /// Sends a regular file from `offset` on, up to so many bytes, after all that is unsent, and
  /// returns how many there were: loop.sendfile. The file's position stays. Waits; meanwhile
  /// nothing is read, and write() throws RuntimeError. Throws std::system_error; DescriptorClosed
  /// if the connection is lost meanwhile; RuntimeError of a transport that is closed or a pipe's.
  std::size_t sendfile(int file, std::uint64_t offset = 0,
                       std::size_t most = std::numeric_limits<std::size_t>::max()) const;

  /// No data_received() is called until resume_reading(). Nothing if it is so already.
  void pause_reading() const;
  void resume_reading() const;
  bool is_reading() const;

  /// Who is told from now on. Throws ValueError for null.
  void set_protocol(std::shared_ptr<Protocol> protocol) const;
  /// Null once connection_lost() has been called.
  std::shared_ptr<Protocol> get_protocol() const;

 private:
  impl::StreamTransport& stream(const char* call) const;
  impl::StreamTransport& reader(const char* call) const;
  impl::StreamTransport& writer(const char* call) const;
};

/// A datagram socket of a DatagramProtocol's: asyncio.DatagramTransport.
class JUMPCUT_API DatagramTransport : public BaseTransport {
 public:
  /// None.
  DatagramTransport() noexcept = default;
  explicit DatagramTransport(std::shared_ptr<impl::DatagramTransportState> state) noexcept;

  /// Sends it at once, or when there is room; if that fails, error_received() is told. Without an
  /// address, to the endpoint's own remote one, which is the only one that it may have if there is
  /// one: throws ValueError for another.
  void sendto(std::string_view data, const std::optional<Address>& address = std::nullopt) const;
};

}  // namespace jumpcut
