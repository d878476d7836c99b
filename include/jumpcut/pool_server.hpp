#pragma once

#include <jumpcut/address.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/loop_pool.hpp>
#include <jumpcut/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace jumpcut {

namespace impl {
class PoolServerState;
}  // namespace impl

/// A Server on each loop of a pool, all on the same port: the system shares the connections out
/// between the loops, and each stays where it was accepted. What start_server(pool, ...) returns.
/// Any thread may use it; what waits parks a task, and blocks any other thread. Ends with the pool.
class JUMPCUT_API PoolServer {
 public:
  /// None.
  PoolServer() noexcept = default;
  PoolServer(PoolServer&&) noexcept = default;
  PoolServer& operator=(PoolServer&& other) noexcept;
  PoolServer(const PoolServer&) = delete;
  PoolServer& operator=(const PoolServer&) = delete;
  /// Closes it a little later, without waiting for that.
  ~PoolServer();

  /// Where it listens, or did.
  std::vector<Address> addresses() const;
  /// Returns once each loop has counted its connections: how many there are on each. For that it
  /// waits.
  std::vector<std::size_t> connections() const;

  /// Returns once no loop listens, for which it waits; the connections go on.
  void close();
  /// Returns once Server.shutdown() has on each loop, all at once, for which it waits: whether no
  /// connection had to be cancelled.
  template <class Rep, class Period>
  bool shutdown(std::chrono::duration<Rep, Period> grace) {
    return shutdown_within(std::chrono::nanoseconds(impl::saturated_nanoseconds(grace)));
  }
  bool shutdown(std::nullopt_t) { return shutdown_within(std::nullopt); }

 private:
  friend class impl::PoolServerState;

  explicit PoolServer(std::shared_ptr<impl::PoolServerState> state) noexcept
      : state_(std::move(state)) {}
  bool shutdown_within(std::optional<std::chrono::nanoseconds> grace);

  std::shared_ptr<impl::PoolServerState> state_;
};

/// Listens on each loop of the pool, with ServerOptions::reuse_port, for which it waits. Each loop
/// has a copy of the handler for itself, which is called by its thread; what copies refer to is
/// shared by threads. Otherwise as start_server() without a pool; but a Unix socket can't be
/// shared: that is a ValueError. Throws RuntimeError once the pool is to stop.
[[nodiscard("the server is closed when this is destroyed")]] JUMPCUT_API PoolServer
start_server(LoopPool& pool, const ConnectionHandler& handler,
             const std::vector<Address>& addresses, const ServerOptions& options = {});
[[nodiscard("the server is closed when this is destroyed")]] JUMPCUT_API PoolServer
start_server(LoopPool& pool, const ConnectionHandler& handler, std::string_view host,
             std::uint16_t port, const ServerOptions& options = {});

}  // namespace jumpcut
