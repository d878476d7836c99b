#include <jumpcut/pool_server.hpp>

#include <jumpcut/error.hpp>

#include "executor/loop_pool_state.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <string>

namespace jumpcut {

namespace impl {

namespace {

/// The Server of one loop.
class ServerPart final : public PoolPart {
 public:
  explicit ServerPart(Server started) : server(std::move(started)) {}

  void finish() override {
    server.close();
    server.wait_closed();
  }

  Server server;
};

using Start = std::function<Server(ConnectionHandler handler)>;

}  // namespace

class PoolServerState {
 public:
  /// `first` starts it on one loop, and says which addresses those are that all others are to have.
  static PoolServer start(LoopPool& pool, const ConnectionHandler& handler, const Start& first,
                          const ServerOptions& options);

  explicit PoolServerState(LoopPoolState& pool) : pool_(pool.shared_from_this()) {}
  PoolServerState(const PoolServerState&) = delete;
  PoolServerState& operator=(const PoolServerState&) = delete;
  ~PoolServerState() = default;

  const std::vector<Address>& addresses() const noexcept { return addresses_; }

  /// Has function(server) called by a task of each loop that still has one, and waits for them all:
  /// what they returned.
  template <class T>
  std::vector<T> on_each(const char* call, std::function<T(Server&)> function) const {
    std::vector<ThreadFuture<std::optional<T>>> futures;
    for (const auto& loop : pool_->loops) {
      if (loop->has_ended()) continue;
      try {
        futures.push_back(run_in(
            *loop,
            [&loop = *loop, number = number_, function]() -> std::optional<T> {
              const auto place = loop.parts.find(number);
              if (place == loop.parts.end()) return std::nullopt;
              const std::shared_ptr<PoolPart> part = place->second;  // the pool may stop meanwhile
              return function(static_cast<ServerPart&>(*part).server);
            },
            call));
      } catch (const RuntimeError&) {  // it has ended by now
      }
    }
    std::vector<T> results;
    for (const auto& future : futures) {
      try {
        if (const std::optional<T> result = future.get()) results.push_back(*result);
      } catch (const LoopClosed&) {
      }
    }
    return results;
  }
  /// Without waiting.
  void drop() noexcept;

 private:
  void start_on(PoolLoop& loop, const ConnectionHandler& handler, const Start& start);

  const std::shared_ptr<LoopPoolState> pool_;
  const std::uint64_t number_ = [] {
    static std::atomic<std::uint64_t> numbers{0};
    return numbers.fetch_add(1, std::memory_order_relaxed);
  }();
  std::vector<Address> addresses_;
};

PoolServer PoolServerState::start(LoopPool& pool, const ConnectionHandler& handler,
                                  const Start& first, const ServerOptions& options) {
  LoopPoolState& loops = LoopPoolState::of(pool);
  loops.check_open("start_server");
  if (handler == nullptr) throw ValueError("start_server: there is no handler");
  const auto state = std::make_shared<PoolServerState>(loops);
  PoolServer server(state);  // closes what there is if not all goes well
  Start start = first;
  for (const auto& loop : loops.loops) {
    if (loop->has_ended()) continue;
    state->start_on(*loop, handler, start);
    start = [addresses = state->addresses_, options](ConnectionHandler counted) {
      return start_server(std::move(counted), addresses, options);
    };
  }
  return server;
}

void PoolServerState::start_on(PoolLoop& loop, const ConnectionHandler& handler,
                               const Start& start) {
  const ConnectionHandler counted = [handler, &loop](Stream& stream) {
    const Seat seat(loop.shared());
    handler(stream);
  };
  const auto started = run_in(
      loop,
      [&loop, number = number_, counted, start] {
        const auto part = std::make_shared<ServerPart>(start(counted));
        loop.parts.emplace(number, part);
        return part->server.addresses();
      },
      "start_server");
  try {
    addresses_ = started.get();
  } catch (...) {
    started.cancel();  // if it is this task that was cancelled
    throw;
  }
}

void PoolServerState::drop() noexcept {
  for (const auto& loop : pool_->loops) {
    if (loop->has_ended()) continue;
    auto close = [&loop = *loop, number = number_] {
      const auto place = loop.parts.find(number);
      if (place == loop.parts.end()) return;
      static_cast<ServerPart&>(*place->second).server.close();
      loop.parts.erase(place);
    };
    loop->post(std::make_unique<PostedOf<decltype(close)>>(std::move(close)));
  }
}

}  // namespace impl

PoolServer& PoolServer::operator=(PoolServer&& other) noexcept {
  const PoolServer before(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

PoolServer::~PoolServer() {
  if (state_ != nullptr) state_->drop();
}

std::vector<Address> PoolServer::addresses() const {
  return state_ == nullptr ? std::vector<Address>() : state_->addresses();
}

std::vector<std::size_t> PoolServer::connections() const {
  if (state_ == nullptr) return {};
  return state_->on_each<std::size_t>("connections",
                                      [](Server& server) { return server.connections(); });
}

void PoolServer::close() {
  if (state_ == nullptr) return;
  state_->on_each<bool>("close", [](Server& server) {
    server.close();
    return true;
  });
}

bool PoolServer::shutdown_within(std::optional<std::chrono::nanoseconds> grace) {
  if (state_ == nullptr) return true;
  const std::vector<bool> ended =
      state_->on_each<bool>("shutdown", [grace](Server& server) { return server.shutdown(grace); });
  for (const bool by_itself : ended) {
    if (!by_itself) return false;
  }
  return true;
}

PoolServer start_server(LoopPool& pool, const ConnectionHandler& handler,
                        const std::vector<Address>& addresses, const ServerOptions& options) {
  for (const Address& address : addresses) {
    if (address.family() == AddressFamily::local) {
      throw ValueError("start_server: loops can't share a Unix socket; let one of them accept");
    }
  }
  ServerOptions shared = options;
  shared.reuse_port = true;
  const auto start = [addresses, shared](ConnectionHandler counted) {
    return start_server(std::move(counted), addresses, shared);
  };
  return impl::PoolServerState::start(pool, handler, start, shared);
}

PoolServer start_server(LoopPool& pool, const ConnectionHandler& handler, std::string_view host,
                        std::uint16_t port, const ServerOptions& options) {
  ServerOptions shared = options;
  shared.reuse_port = true;
  const auto start = [host = std::string(host), port, shared](ConnectionHandler counted) {
    return start_server(std::move(counted), host, port, shared);
  };
  return impl::PoolServerState::start(pool, handler, start, shared);
}

}  // namespace jumpcut
