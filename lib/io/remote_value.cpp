#include <jumpcut/impl/remote_value.hpp>

#include <jumpcut/impl/task_base.hpp>

#include "base/system_error.hpp"

#include <cerrno>
#include <stdexcept>

#include <unistd.h>

namespace jumpcut::impl {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t part = std::size_t{64} * 1024;

std::size_t padding(std::size_t place) noexcept {
  return (alignment - place % alignment) % alignment;
}

[[noreturn]] void throw_short() {
  throw std::length_error("the result of a worker process is not whole");
}

}  // namespace

void RemoteWriter::write(const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  written_ += size;
  if (size >= part) {
    flush();
    return send(bytes, size);
  }
  kept_.append(bytes, size);
  if (kept_.size() >= part) flush();
}

void RemoteWriter::align() {
  constexpr std::array<char, alignment> zeros{};
  write(zeros.data(), padding(written_));
}

void RemoteWriter::flush() {
  send(kept_.data(), kept_.size());
  kept_.clear();
}

void RemoteWriter::send(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::write(fd_, data, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) throw_system_error(errno, "write of a result of %zu bytes", written_);
    data += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

const char* RemoteReader::read(std::size_t size) {
  if (size > size_ - place_) throw_short();
  if (place_ >= pause_at_ && TaskBase::current() != nullptr) {
    TaskBase::yield("ProcessPool");
    pause_at_ = place_ + part;
  }
  const char* const data = begin_ + place_;
  place_ += size;
  return data;
}

void RemoteReader::align() {
  read(padding(place_));
}

std::size_t RemoteReader::read_size(std::size_t least) {
  const auto size = RemoteValue<std::size_t>::read(*this);
  // An empty element takes no bytes.
  if (least > 0 && size > (size_ - place_) / least) throw_short();
  return size;
}

}  // namespace jumpcut::impl
