#include <jumpcut/stream.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/wait_fd.hpp>

#include "io/stream_state.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace jumpcut {

using impl::StreamState;

namespace {

struct Match {
  std::size_t start = std::string_view::npos;
  std::size_t end = std::string_view::npos;
};

/// The one that ends first, and of those that begins first.
Match find_first(std::string_view text, std::span<const std::string_view> separators,
                 std::size_t from) noexcept {
  Match first;
  for (const std::string_view separator : separators) {
    const std::size_t start = text.find(separator, from);
    if (start == std::string_view::npos) continue;
    const std::size_t end = start + separator.size();
    if (end < first.end || (end == first.end && start < first.start)) first = {start, end};
  }
  return first;
}

std::string text_of(std::size_t partial, std::optional<std::size_t> expected) {
  return std::to_string(partial) + " bytes were read on a total of " +
         (expected.has_value() ? std::to_string(*expected) : "undefined") + " expected bytes";
}

}  // namespace

IncompleteReadError::IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
    : std::runtime_error(text_of(partial.size(), expected)),
      partial_(std::move(partial)),
      expected_(expected) {}

Stream::Stream(Socket socket, const StreamOptions& options)
    : Stream(std::move(socket), false, options) {}

Stream::Stream(Descriptor pipe, const StreamOptions& options)
    : Stream(Socket(std::move(pipe)), true, options) {}

Stream::Stream(Socket socket, bool pipe, const StreamOptions& options) {
  if (options.low_water > options.high_water) {
    throw ValueError("Stream: low_water, " + std::to_string(options.low_water) +
                     ", is above high_water, " + std::to_string(options.high_water));
  }
  state_ = new StreamState(std::move(socket), pipe, options);
}

void Stream::dismiss() noexcept {
  state_->close();
  state_->drop_ref();
}

void Stream::refuse(const char* call) {
  throw DescriptorClosed(EBADF, std::generic_category(),
                         std::string(call) + " on a stream that is none");
}

StreamState& Stream::state(const char* call) const {
  if (state_ == nullptr) [[unlikely]]
    refuse(call);
  return *state_;
}

[[gnu::hot]] std::string Stream::read(std::size_t most) {
  return state("read").read(most);
}

std::string Stream::read() {
  const StreamState::Reading stream(state("read"), "read");
  while (stream->fill()) {
  }
  return stream->incoming.take(stream->incoming.size());
}

std::string Stream::read_exactly(std::size_t size) {
  const StreamState::Reading stream(state("read_exactly"), "read_exactly");
  while (stream->incoming.size() < size) {
    if (stream->fill()) continue;
    throw IncompleteReadError(stream->incoming.take(stream->incoming.size()), size);
  }
  return stream->incoming.take(size);
}

std::string Stream::read_until(std::string_view separator) {
  return read_until(std::span<const std::string_view>(&separator, 1));
}

std::string Stream::read_until(std::span<const std::string_view> separators) {
  static_cast<void>(state("read_until"));
  if (separators.empty()) throw ValueError("read_until: there is no separator");
  std::size_t longest = 0;
  for (const std::string_view separator : separators) {
    if (separator.empty()) throw ValueError("read_until: a separator is empty");
    longest = std::max(longest, separator.size());
  }
  const StreamState::Reading stream(*state_, "read_until");
  const std::size_t limit = stream->options.limit;
  Match match;
  for (std::size_t from = 0;;) {
    match = find_first(stream->incoming.view(), separators, from);
    if (match.end != std::string_view::npos) break;
    // A separator may have come in part.
    const std::size_t size = stream->incoming.size();
    from = size + 1 > longest ? size + 1 - longest : 0;
    if (from > limit) {
      throw LimitOverrunError("no separator is found, and what has come exceeds the limit", from);
    }
    if (stream->fill()) continue;
    throw IncompleteReadError(stream->incoming.take(size), std::nullopt);
  }
  if (match.start > limit) {
    throw LimitOverrunError("a separator is found, but what is before it exceeds the limit",
                            match.start);
  }
  return stream->incoming.take(match.end);
}

std::string Stream::read_line() {
  try {
    return read_until("\n");
  } catch (const IncompleteReadError& error) {
    return error.partial();
  } catch (const LimitOverrunError& error) {
    impl::ByteQueue& incoming = state("read_line").incoming;
    const bool has_end = incoming.view().substr(error.consumed()).starts_with('\n');
    incoming.drop(has_end ? error.consumed() + 1 : incoming.size());
    throw ValueError(std::string("read_line: ") + error.what());
  }
}

bool Stream::at_eof() const noexcept {
  return state_ != nullptr && state_->eof && state_->incoming.size() == 0;
}

[[gnu::hot]] void Stream::write(std::string_view data) {
  state("write").write(data);
}

void Stream::drain() {
  state("drain").drain("drain");
}

std::size_t Stream::write_buffer_size() const noexcept {
  return state_ == nullptr ? 0 : state_->outgoing.size();
}

void Stream::write_eof() {
  state("write_eof").write_eof();
}

void Stream::close() {
  if (state_ != nullptr) state_->close();
}

void Stream::abort() {
  if (state_ != nullptr) state_->abort();
}

bool Stream::is_closing() const noexcept {
  return state_ == nullptr || state_->closing;
}

void Stream::wait_closed() {
  state("wait_closed").wait_closed();
}

Socket& Stream::socket() {
  return state("socket").socket;
}

}  // namespace jumpcut
