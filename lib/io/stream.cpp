#include <jumpcut/stream.hpp>

#include <jumpcut/error.hpp>
#include <jumpcut/wait_fd.hpp>

#include "io/stream_state.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace jumpcut {

using impl::StreamState;

namespace {

struct Match {
  std::size_t start = std::string_view::npos;
  std::size_t end = std::string_view::npos;
};

/// string_view::find() calls memcmp() for each place where the first byte is. Most separators end
/// lines, and it is at the end of each.
inline std::size_t find_one(std::string_view text, std::string_view separator,
                            std::size_t from) noexcept {
  const std::size_t others = separator.size() - 1;
  if (text.size() < others + from) return std::string_view::npos;
  const char* place = text.data() + from;
  const char* const end = text.data() + text.size() - others;
  for (; place < end; ++place) {
    place = static_cast<const char*>(
        std::memchr(place, separator.front(), static_cast<std::size_t>(end - place)));
    if (place == nullptr) break;
    if (place[others] == separator.back() && std::memcmp(place, separator.data(), others) == 0) {
      return static_cast<std::size_t>(place - text.data());
    }
  }
  return std::string_view::npos;
}

/// What a read looks for: the one that ends first, and of those that begins first.
class Separators {
 public:
  Separators(std::span<const std::string_view> all, const char* call) : all_(all) {
    if (all.empty()) throw ValueError(std::string(call) + ": there is no separator");
    for (const std::string_view separator : all) {
      if (separator.empty()) throw ValueError(std::string(call) + ": a separator is empty");
      longest_ = std::max(longest_, separator.size());
    }
  }

  Match find(std::string_view text, std::size_t from) const noexcept {
    Match first;
    for (const std::string_view separator : all_) {
      const std::size_t start = find_one(text, separator, from);
      if (start == std::string_view::npos) continue;
      const std::size_t end = start + separator.size();
      if (end < first.end || (end == first.end && start < first.start)) first = {start, end};
    }
    return first;
  }
  std::size_t longest() const noexcept { return longest_; }

 private:
  const std::span<const std::string_view> all_;
  std::size_t longest_ = 0;
};

/// Waits until one has come, and puts all up to it, and it, where it is wanted.
void take_until(StreamState& state, const Separators& separators, std::string& text,
                const char* call) {
  const StreamState::Reading stream(state, call);
  const std::size_t limit = stream->options.limit;
  Match match;
  if (stream->incoming.size() == 0 && !stream->eof) [[likely]] {
    // Most messages come whole, and need not be put together.
    const std::string_view all = stream->receive_some();
    match = separators.find(all, 0);
    if (match.end != std::string_view::npos && match.start <= limit) [[likely]] {
      if (match.end < all.size()) stream->incoming.append(all.substr(match.end));
      text.assign(all.data(), match.end);
      return;
    }
    stream->incoming.append(all);
  }
  for (std::size_t from = 0;;) {
    match = separators.find(stream->incoming.view(), from);
    if (match.end != std::string_view::npos) break;
    // A separator may have come in part.
    const std::size_t size = stream->incoming.size();
    from = size + 1 > separators.longest() ? size + 1 - separators.longest() : 0;
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
  stream->incoming.take_to(text, match.end);
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

[[gnu::hot]] std::size_t Stream::read_into(std::span<char> buffer) {
  return state("read_into").read_into(buffer);
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
  std::string text;
  take_until(state("read_until"), Separators(separators, "read_until"), text, "read_until");
  return text;
}

[[gnu::hot]] void Stream::read_until_into(std::string& text, std::string_view separator) {
  const std::span all(&separator, 1);
  take_until(state("read_until_into"), Separators(all, "read_until_into"), text, "read_until_into");
}

std::string Stream::read_line() {
  std::string line;
  take_line(line, "read_line");
  return line;
}

bool Stream::read_line_into(std::string& line) {
  take_line(line, "read_line_into");
  return !line.empty();
}

void Stream::take_line(std::string& line, const char* call) {
  constexpr std::string_view end = "\n";
  try {
    take_until(state(call), Separators(std::span(&end, 1), call), line, call);
  } catch (const IncompleteReadError& error) {
    line = error.partial();
  } catch (const LimitOverrunError& error) {
    impl::ByteQueue& incoming = state(call).incoming;
    const bool has_end = incoming.view().substr(error.consumed()).starts_with('\n');
    incoming.drop(has_end ? error.consumed() + 1 : incoming.size());
    throw ValueError(std::string(call) + ": " + error.what());
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
