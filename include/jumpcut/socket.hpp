#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace jumpcut {

enum class SocketType : std::uint8_t { stream, datagram, seqpacket };
enum class Shutdown : std::uint8_t { reading, writing, both };

/// A socket: TCP, UDP, or a Unix one. asyncio's loop.sock_…() calls, as members. What Descriptor
/// says holds for all of them.
class JUMPCUT_API Socket : public Descriptor {
 public:
  /// None.
  Socket() noexcept = default;
  /// A new one, which is neither bound nor connected.
  explicit Socket(AddressFamily family, SocketType type = SocketType::stream);
  /// Takes over one, which becomes non-blocking, for all who share it.
  static Socket adopt(int fd);
  /// Two Unix sockets that are connected with each other.
  static std::pair<Socket, Socket> pair(SocketType type = SocketType::stream);

  // What may wait, and then throw Cancelled.

  /// Waits until something has come, and returns up to so much of it, or one datagram; "" once the
  /// peer sends no more. What a Cancelled interrupts has taken nothing. `flags` are the system's.
  std::string recv(std::size_t most, int flags = 0);
  std::size_t recv_into(std::span<char> buffer, int flags = 0);
  /// The same, and who sent it.
  std::pair<std::string, Address> recvfrom(std::size_t most, int flags = 0);
  std::pair<std::size_t, Address> recvfrom_into(std::span<char> buffer, int flags = 0);

  /// Waits until there is room, and returns how much was sent; of a datagram, all.
  std::size_t send(std::string_view data, int flags = 0);
  std::size_t sendto(std::string_view data, const Address& address, int flags = 0);
  /// Returns once all is sent, for which it may wait. If it throws, nobody knows how much was.
  void sendall(std::string_view data);
  /// Returns once so much of a file is sent, or all that it has from there on, for which it may
  /// wait; how much that was. Reading the file may hold up the thread for as long as the disk
  /// takes. The file's own position is neither used nor changed. What the system can't send so is
  /// read and sent.
  std::size_t sendfile(int file, std::uint64_t offset = 0,
                       std::size_t most = std::numeric_limits<std::size_t>::max());

  /// Returns once it is connected. After any other end, Cancelled among them, the socket is good
  /// for nothing but close().
  void connect(const Address& address);
  /// Waits until somebody connects; a Cancelled leaves him in the queue. When there are no more
  /// descriptors, or the system forbids it for now, it tells the loop's exception handler, and
  /// tries again later, a second at the most.
  std::pair<Socket, Address> accept();

  // What never waits.

  void bind(const Address& address);
  void listen(int backlog = 100);
  void shutdown(Shutdown how);
  Address getsockname() const;
  /// Throws std::system_error, ENOTCONN, if there is none.
  Address getpeername() const;
  /// The system's own level and name: SOL_SOCKET, SO_REUSEADDR.
  void setsockopt(int level, int name, int value);
  int getsockopt(int level, int name) const;

 private:
  friend class Stream;

  explicit Socket(Room room) : Descriptor(room) {}
  explicit Socket(Descriptor&& pipe) noexcept : Descriptor(std::move(pipe)) {}
};

}  // namespace jumpcut
