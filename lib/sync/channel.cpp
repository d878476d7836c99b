#include <jumpcut/channel.hpp>

#include "base/check.hpp"

#include <string>

namespace jumpcut::impl {

namespace {

/// Its loop may be closed, and the task abandoned.
bool can_be_woken(const FutureBase& ticket) noexcept {
  const Core* core = ticket.space().core;
  if (ticket.is_done() || core == nullptr) return false;
  JUMPCUT_CHECK(core->on_its_thread(),
                "a channel is closed or destroyed by the thread whose tasks wait at it");
  return true;
}

}  // namespace

void ChannelList::close() noexcept {
  while (first_ != nullptr) {
    ChannelNode& node = *first_;
    remove(node);
    if (!can_be_woken(node.ticket_)) continue;
    node.outcome_ = ChannelNode::Outcome::closed;
    node.ticket_.finish();
  }
}

void ChannelList::abandon() noexcept {
  while (first_ != nullptr) remove(*first_);
}

void throw_channel_closed(const char* call) {
  throw ChannelClosed(std::string(call) + ": the channel is closed");
}

void throw_outcome(FutureBase& ticket) {
  ticket.get();
  fail("a wait at a channel ended, and nobody knows why");
}

}  // namespace jumpcut::impl
