// What several operations need to hand memory to the system.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

namespace jumpcut::impl {

/// Several buffers as the system wants them: all, up to so many as it takes.
class Vectors {
 public:
  explicit Vectors(std::span<const std::span<char>> buffers) { fill(buffers); }
  explicit Vectors(std::span<const std::string_view> buffers) { fill(buffers); }
  Vectors(const Vectors&) = delete;
  Vectors& operator=(const Vectors&) = delete;
  ~Vectors() {
    if (all_ != few_) delete[] all_;
  }

  iovec* data() noexcept { return all_; }
  int size() const noexcept { return static_cast<int>(size_); }

 private:
  static constexpr std::size_t most = 1024;  // IOV_MAX

  template <class Buffers>
  void fill(const Buffers& buffers) {
    size_ = buffers.size() < most ? buffers.size() : most;
    if (size_ > std::size(few_)) all_ = new iovec[size_];
    for (std::size_t i = 0; i < size_; ++i) {
      all_[i] = {const_cast<char*>(buffers[i].data()), buffers[i].size()};
    }
  }

  iovec few_[16];
  iovec* all_ = few_;
  std::size_t size_ = 0;
};

/// Calls read(buffer), which returns how much it put there, with room for `most`, and returns that
/// as a string. The room is one for all of the thread's tasks, so read() may wait only before it
/// writes there: then a string is made as long as what came, and not filled with zeros first.
template <class Read>
std::string read_string(std::size_t most, Read read);

/// So much of a thread's own memory that lasts as long as the thread.
std::span<char> scratch();

template <class Read>
std::string read_string(std::size_t most, Read read) {
  const std::span<char> room = scratch();
  if (most <= room.size()) {
    const std::size_t size = read(room.first(most));
    return {room.data(), size};
  }
  std::string text(most, '\0');
  text.resize(read(std::span<char>(text)));
  return text;
}

}  // namespace jumpcut::impl
