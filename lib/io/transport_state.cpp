#include "io/transport_state.hpp"

#include <jumpcut/error.hpp>
#include <jumpcut/loop.hpp>

#include "base/check.hpp"
#include "base/system_error.hpp"

#include <string>
#include <system_error>
#include <unordered_set>

#include <sys/socket.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

/// The loop's own list, which keeps them.
class Transports final : public LoopPart {
 public:
  static Transports& of(LoopState& loop) {
    for (const auto& part : loop.parts) {
      if (auto* found = dynamic_cast<Transports*>(part.get())) return *found;
    }
    loop.parts.push_back(std::make_unique<Transports>());
    return static_cast<Transports&>(*loop.parts.back());
  }

  void shut_down(bool may_wait) override {
    const auto left = may_wait ? all : std::exchange(all, {});
    for (const auto& one : left) may_wait ? one->abort() : one->abandon();
    if (!may_wait) return;
    for (const auto& one : left) one->wait_lost("close");
  }

  std::unordered_set<std::shared_ptr<TransportState>> all;
};

Address address_of(int (*get)(int, ::sockaddr*, socklen_t*), int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (get(fd, reinterpret_cast<::sockaddr*>(&address), &size) != 0) return {};
  return Address::from_sockaddr(&address, size);
}

}  // namespace

TransportState::TransportState(Descriptor descriptor)
    : loop_(LoopState::running("Transport")), descriptors_(loop_.descriptors) {
  local_ = address_of(::getsockname, descriptor.fd());
  peer_ = address_of(::getpeername, descriptor.fd());
  fd_ = descriptor.release();  // from here on callbacks watch it
}

TransportState::~TransportState() {
  close_socket();
}

void TransportState::begin() {
  const auto self = shared_from_this();
  Transports::of(loop_).all.insert(self);
  loop_.loop.call_soon([self] { self->call_made(); });
  loop_.loop.call_soon([self] {
    if (self->is_reading()) self->watch_reading();
  });
  loop_.loop.call_soon([self] {
    if (!self->made_.done()) self->made_.set_result();
  });
}

void TransportState::wait_lost(const char* call) {
  const auto self = shared_from_this();
  while (!gone_) waiters_.wait(call);
}

void TransportState::check_thread(const char* call) const {
  if (descriptors_->is_closed() || descriptors_->on_its_thread()) return;
  throw RuntimeError(std::string(call) +
                     ": this transport belongs to another thread's loop; make the call there, by "
                     "call_soon_threadsafe");
}

void TransportState::watch_reading() {
  if (is_lent()) return;
  try {
    loop_.loop.add_reader(fd_, [self = shared_from_this()] {
      if (!self->is_lost()) self->read_ready();
    });
  } catch (const std::exception&) {
    fail("a transport can't be watched for reading");
  }
}

void TransportState::watch_writing() {
  try {
    loop_.loop.add_writer(fd_, [self = shared_from_this()] {
      if (!self->is_lost()) self->write_ready();
    });
  } catch (const std::exception&) {
    fail("a transport can't be watched for writing");
  }
}

void TransportState::unwatch_reading() {
  loop_.loop.remove_reader(fd_);
}

void TransportState::unwatch_writing() {
  loop_.loop.remove_writer(fd_);
}

void TransportState::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  loop_.loop.remove_reader(fd_);
}

void TransportState::resume_reading() {
  if (closing_ || !paused_) return;
  paused_ = false;
  watch_reading();
}

void TransportState::lend(Socket& socket) {
  if (is_reading()) unwatch_reading();
  lent_ = &socket;
}

void TransportState::take_back() {
  if (lent_->is_open()) lent_->release();
  lent_ = nullptr;
  if (is_reading()) watch_reading();
}

void TransportState::close() {
  if (std::exchange(closing_, true)) return;
  loop_.loop.remove_reader(fd_);
  if (unsent() != 0) return;
  lost_ = true;
  loop_.loop.call_soon([self = shared_from_this()] { self->lose(nullptr); });
}

void TransportState::lose_soon(std::exception_ptr error) {
  if (is_lost()) return;
  if (unsent() != 0) {
    drop_unsent();
    unwatch_writing();
  }
  if (!std::exchange(closing_, true)) loop_.loop.remove_reader(fd_);
  lost_ = true;
  loop_.loop.call_soon(
      [self = shared_from_this(), error = std::move(error)] { self->lose(error); });
}

void TransportState::lose(const std::exception_ptr& error) {
  struct Losing {
    TransportState& transport;
    const std::shared_ptr<TransportState> held = transport.shared_from_this();
    ~Losing() {
      transport.close_socket();
      transport.drop_protocol();
      Transports::of(transport.loop_).all.erase(held);
      transport.gone_ = true;
      transport.waiters_.wake_all();
    }
  } losing{*this};
  lost_ = true;
  protocol()->connection_lost(error);
}

void TransportState::abandon() noexcept {
  closing_ = gone_ = true;
  lost_ = true;
  drop_unsent();
  close_socket();
  drop_protocol();
}

void TransportState::close_socket() noexcept {
  if (fd_ < 0) return;
  if (is_lent() && lent_->is_open()) lent_->release();
  if (!descriptors_->is_closed()) descriptors_->closing(fd_);
  ::close(std::exchange(fd_, -1));
}

void TransportState::report(const char* message) const {
  ErrorContext context;
  context.message = message;
  context.exception = std::current_exception();
  loop_.report(context);
}

void TransportState::fail(const char* message) {
  try {
    throw;
  } catch (const std::system_error&) {  // networks do that, and connection_lost() tells of it
  } catch (const ResourceError&) {
  } catch (...) {
    report(message);
  }
  lose_soon(std::current_exception());
}

void TransportState::drop_write() {
  constexpr int patience = 4;
  if (dropped_ >= patience) {
    warn("a transport is written to, whose connection is lost; what is written is dropped");
  }
  ++dropped_;
}

void TransportState::throw_error(const char* call, int error, const Address* peer) const {
  const Address& other = peer == nullptr ? peer_ : *peer;
  if (other.family() == AddressFamily::none) {
    throw_system_error(error, "%s on descriptor %d", call, fd_);
  }
  throw_system_error(error, "%s on descriptor %d, peer %s", call, fd_, other.to_string().c_str());
}

void TransportState::set_limits(std::optional<std::size_t> high, std::optional<std::size_t> low) {
  if (!high.has_value()) high = low.has_value() ? 4 * *low : std::size_t{64} * 1024;
  if (!low.has_value()) low = *high / 4;
  if (*low > *high) {
    throw ValueError("set_write_buffer_limits: low, " + std::to_string(*low) + ", is above high, " +
                     std::to_string(*high));
  }
  high_ = *high;
  low_ = *low;
  pause_protocol();
}

/// If more is unsent than there should be.
void TransportState::pause_protocol() {
  if (unsent() <= high_ || protocol() == nullptr || std::exchange(protocol_paused_, true)) return;
  try {
    protocol()->pause_writing();
  } catch (...) {
    report("protocol.pause_writing() failed");
  }
}

void TransportState::resume_protocol() {
  if (unsent() > low_ || !std::exchange(protocol_paused_, false)) return;
  try {
    protocol()->resume_writing();
  } catch (...) {
    report("protocol.resume_writing() failed");
  }
}

}  // namespace jumpcut::impl
