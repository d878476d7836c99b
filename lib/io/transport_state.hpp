// What Transport and DatagramTransport refer to: a socket that callbacks of the loop read and
// write.

#pragma once

#include <jumpcut/future.hpp>
#include <jumpcut/protocol.hpp>
#include <jumpcut/transport.hpp>

#include "io/stream_state.hpp"
#include "io/waiters.hpp"
#include "loop/loop_state.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace jumpcut::impl {

class TransportState : public std::enable_shared_from_this<TransportState> {
 public:
  /// In a task of the loop that it belongs to.
  explicit TransportState(Descriptor descriptor);
  TransportState(const TransportState&) = delete;
  TransportState& operator=(const TransportState&) = delete;
  virtual ~TransportState();

  /// Has connection_made() called, and after that begins to read: each in a turn of its own, after
  /// which made() is done.
  void begin();
  const Future<>& made() const noexcept { return made_; }
  /// Returns once connection_lost() has been called. Throws Cancelled.
  void wait_lost(const char* call);

  void close();
  void abort() { lose_soon(nullptr); }
  bool is_closing() const noexcept { return closing_; }
  void pause_reading();
  void resume_reading();
  bool is_reading() const noexcept { return !closing_ && !paused_; }

  virtual std::size_t unsent() const noexcept = 0;
  void set_limits(std::optional<std::size_t> high, std::optional<std::size_t> low);
  std::pair<std::size_t, std::size_t> limits() const noexcept { return {low_, high_}; }

  void check_thread(const char* call) const;
  int fd() const noexcept { return fd_; }
  const Address& local() const noexcept { return local_; }
  const Address& peer() const noexcept { return peer_; }
  /// The loop ends: nobody is told of anything any more.
  void abandon() noexcept;

 protected:
  virtual void call_made() = 0;
  virtual void read_ready() = 0;
  virtual void write_ready() = 0;
  virtual void drop_unsent() noexcept = 0;
  virtual BaseProtocol* protocol() const noexcept = 0;
  virtual void drop_protocol() noexcept = 0;

  /// Has the loop tell of what comes.
  void watch_reading();
  void unwatch_reading();
  void watch_writing();
  void unwatch_writing();
  /// In a catch block: tells the exception handler, unless it is the system's error, and ends it.
  void fail(const char* message);
  void report(const char* message) const;
  /// Returns once somebody has called wake(), or connection_lost() has been called.
  void wait_for_wake(const char* call) { waiters_.wait(call); }
  void wake() { waiters_.wake_all(); }
  /// The descriptor is that socket's for a while, if it adopts it, and callbacks have nothing to do
  /// with it; then it is the transport's again. If it is closed meanwhile, so is the socket.
  void lend(Socket& socket);
  void take_back();
  bool is_lent() const noexcept { return lent_ != nullptr; }
  /// connection_lost() is called in a turn of its own.
  void lose_soon(std::exception_ptr error);
  void lose(const std::exception_ptr& error);
  void pause_protocol();
  void resume_protocol();
  /// connection_lost() is to come, or came. What is written now goes nowhere.
  bool is_lost() const noexcept { return lost_; }
  void drop_write();
  [[noreturn]] void throw_error(const char* call, int error, const Address* peer = nullptr) const;

 private:
  void close_socket() noexcept;

  LoopState& loop_;
  std::shared_ptr<Descriptors> descriptors_;
  int fd_ = -1;
  Address local_;
  Address peer_;
  Future<> made_;
  Waiters waiters_{"transport"};  // for the end, and see wait_for_wake()
  std::size_t high_ = std::size_t{64} * 1024;
  std::size_t low_ = std::size_t{16} * 1024;
  int dropped_ = 0;  // writes that came too late
  Socket* lent_ = nullptr;
  bool lost_ = false;
  bool closing_ = false;
  bool paused_ = false;
  bool protocol_paused_ = false;
  bool gone_ = false;  // connection_lost() was called
};

enum class StreamKind : std::uint8_t { socket, read_pipe, write_pipe };

class StreamTransport final : public TransportState, public StreamSuccessor {
 public:
  StreamTransport(Descriptor descriptor, StreamKind kind, std::shared_ptr<Protocol> protocol)
      : TransportState(std::move(descriptor)), kind_(kind) {
    set_protocol(std::move(protocol));
  }

  StreamKind kind() const noexcept { return kind_; }
  void write(std::string_view data);
  void writelines(std::span<const std::string_view> data);
  void write_eof();
  std::size_t send_file(int file, std::uint64_t offset, std::size_t most);
  void set_protocol(std::shared_ptr<Protocol> protocol) {
    protocol_ = std::move(protocol);
    buffered_ = dynamic_cast<BufferedProtocol*>(protocol_.get());
  }
  const std::shared_ptr<Protocol>& get_protocol() const noexcept { return protocol_; }
  std::size_t unsent() const noexcept override { return unsent_.size(); }

  void close_stream() override { close(); }
  void abort_stream() override { abort(); }

 private:
  void call_made() override;
  void read_ready() override;
  void write_ready() override;
  void drop_unsent() noexcept override { unsent_.clear(); }
  BaseProtocol* protocol() const noexcept override { return protocol_.get(); }
  void drop_protocol() noexcept override { set_protocol(nullptr); }
  class Lent;
  void tell_data(std::span<char> room, std::size_t size);
  void receive_end();
  void lose_pipe();
  std::size_t send(std::span<const std::string_view> data) const;
  void shut_down() const;

  const StreamKind kind_;
  std::shared_ptr<Protocol> protocol_;
  BufferedProtocol* buffered_ = nullptr;  // the same, if it is one
  ByteQueue unsent_;
  bool eof_ = false;  // write_eof() was called
};

class DatagramTransportState final : public TransportState {
 public:
  DatagramTransportState(Socket socket, const std::optional<Address>& remote,
                         std::shared_ptr<DatagramProtocol> protocol)
      : TransportState(std::move(socket)), remote_(remote), protocol_(std::move(protocol)) {}

  void sendto(std::string_view data, const std::optional<Address>& address);
  std::size_t unsent() const noexcept override { return size_; }

 private:
  struct Datagram {
    std::string data;
    std::optional<Address> address;
    /// With what the system adds to it.
    std::size_t size() const noexcept { return data.size() + 8; }
  };

  void call_made() override;
  void read_ready() override;
  void write_ready() override;
  void drop_unsent() noexcept override;
  BaseProtocol* protocol() const noexcept override { return protocol_.get(); }
  void drop_protocol() noexcept override { protocol_.reset(); }
  /// False if there is no room. What fails goes to error_received().
  bool send(std::string_view data, const std::optional<Address>& address);
  /// A call has just failed.
  void tell_error(const char* call, const std::optional<Address>& address);

  const std::optional<Address> remote_;
  std::shared_ptr<DatagramProtocol> protocol_;
  std::deque<Datagram> unsent_;
  std::size_t size_ = 0;
};

}  // namespace jumpcut::impl
