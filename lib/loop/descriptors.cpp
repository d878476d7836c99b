#include "loop/descriptors.hpp"

#include <jumpcut/error.hpp>

#include "base/check.hpp"

#include <exception>
#include <string>
#include <utility>

#include <fcntl.h>

namespace jumpcut::impl {

std::uint32_t Descriptors::wanted(const Watched& watched) noexcept {
  std::uint32_t all =
      (watched.reader ? PollEvent::readable : 0u) | (watched.writer ? PollEvent::writable : 0u);
  for (const DescriptorWait* one = watched.first; one != nullptr; one = one->next_) {
    all |= one->ready_;
  }
  return all;
}

std::uint64_t Descriptors::tag(int fd, const Watched& watched) noexcept {
  return std::uint64_t{watched.generation} << 32 | static_cast<std::uint32_t>(fd);
}

Descriptors::Watched& Descriptors::take_place(int fd) {
  if (Watched* watched = find(fd)) return *watched;
  const auto place = static_cast<std::size_t>(fd);
  if (fd < 0 || place >= watched_.size()) {
    // Not room for whatever number: the poller says what is wrong with it.
    if (fcntl(fd, F_GETFD) < 0) poller_.watch(fd, PollEvent::readable, 0);
    watched_.resize(place + 1);
  }
  renew(watched_[place]);
  ++size_;
  return watched_[place];
}

/// If nobody is concerned with it any more.
void Descriptors::leave_place(Watched& watched) noexcept {
  if (watched.owned || watched.reader || watched.writer || watched.first != nullptr) return;
  watched.generation = 0;
  watched.interest = 0;
  --size_;
}

/// What the poller may still say of the file that had the number is not for who has it now.
void Descriptors::renew(Watched& watched) noexcept {
  if (++generations_ == 0) ++generations_;
  watched.generation = generations_;
  watched.interest = 0;
  watched.drained = watched.ended = false;
}

/// True if somebody closed the descriptor meanwhile, and the number is another's: those who waited
/// did not mean that.
bool Descriptors::tell_poller(int fd, Watched& watched) {
  std::uint32_t interest = wanted(watched);
  const bool known = watched.interest != 0;
  if (watched.owned) {
    // Who waits to write, as who connects does, will read some day.
    interest |= watched.interest | PollEvent::readable;
    interest |= PollEvent::edge;
    if (interest == watched.interest) return false;
  }
  const bool added = poller_.watch(fd, interest, tag(fd, watched));
  watched.interest = interest;
  return added && known;
}

void Descriptors::append(Watched& watched, DescriptorWait& one) noexcept {
  one.previous_ = watched.last;
  (watched.last != nullptr ? watched.last->next_ : watched.first) = &one;
  watched.last = &one;
  one.listed_ = true;
  count_one();
}

void Descriptors::remove(Watched& watched, DescriptorWait& one) noexcept {
  (one.previous_ != nullptr ? one.previous_->next_ : watched.first) = one.next_;
  (one.next_ != nullptr ? one.next_->previous_ : watched.last) = one.previous_;
  one.next_ = one.previous_ = nullptr;
  one.listed_ = false;
  --awaited_;
}

void Descriptors::count_one() noexcept {
  ++awaited_;
  if ((core_.attention.load(std::memory_order_relaxed) & attention_) == 0) {
    core_.attention.fetch_or(attention_, std::memory_order_relaxed);
  }
}

void Descriptors::end_waits(Watched& watched) noexcept {
  while (DescriptorWait* one = watched.first) {
    remove(watched, *one);
    one->closed_ = true;
    if (!one->waiting_.is_done()) one->waiting_.finish();
  }
}

/// Nobody is to be told of that file any more.
void Descriptors::abandon(int fd, Watched& watched) noexcept {
  try {
    poller_.watch(fd, 0, 0);
  } catch (const std::exception& error) {
    warn("%s", error.what());
  }
  end_waits(watched);
  const Ref<LoopHandle> reader = std::exchange(watched.reader, {});
  const Ref<LoopHandle> writer = std::exchange(watched.writer, {});
  awaited_ -= (reader ? 1u : 0u) + (writer ? 1u : 0u);
  watched.owned = false;
  leave_place(watched);
  // Last: what they destroy may come back here.
  if (reader) reader->cancel();
  if (writer) writer->cancel();
}

Ref<LoopHandle> Descriptors::watch(int fd, bool writing, Ref<LoopHandle> handle) {
  if (is_owned(fd)) {
    throw RuntimeError(std::string(writing ? "add_writer" : "add_reader") + ": descriptor " +
                       std::to_string(fd) +
                       " belongs to a Socket or another object of this library, which waits by "
                       "itself; use that, or wait_readable and wait_writable");
  }
  Watched* watched = &take_place(fd);
  const auto mine = [&]() -> Ref<LoopHandle>& {
    return writing ? watched->writer : watched->reader;
  };
  const auto other = [&]() -> Ref<LoopHandle>& {
    return writing ? watched->reader : watched->writer;
  };
  const Ref<LoopHandle> before = std::exchange(mine(), handle);
  handle->keep();
  Ref<LoopHandle> stale;
  try {
    if (tell_poller(fd, *watched)) {
      stale = std::exchange(other(), {});
      if (stale) --awaited_;
      end_waits(*watched);
      renew(*watched);
      tell_poller(fd, *watched);
    }
  } catch (...) {
    mine() = before;
    leave_place(*watched);
    throw;
  }
  if (!before) count_one();
  // Last: what they destroy may come back here.
  if (before) before->cancel();
  if (stale) stale->cancel();
  return handle;
}

bool Descriptors::unwatch(int fd, bool writing) {
  Watched* watched = find(fd);
  if (watched == nullptr) return false;
  const Ref<LoopHandle> before = std::exchange(writing ? watched->writer : watched->reader, {});
  if (!before) return false;
  --awaited_;
  struct Cancelling {
    const Ref<LoopHandle>& handle;
    ~Cancelling() { handle->cancel(); }
  } cancelling{before};
  struct Leaving {
    Descriptors& all;
    Watched& watched;
    ~Leaving() { all.leave_place(watched); }
  } leaving{*this, *watched};
  tell_poller(fd, *watched);
  return true;
}

void Descriptors::wait(int fd, DescriptorWait& one) {
  struct Listed {
    Descriptors& all;
    int fd;
    DescriptorWait& one;
    ~Listed() { all.withdraw(fd, one); }
  };
  add(fd, one);
  const Listed listed{*this, fd, one};
  TaskBase::wait_until_done(one.waiting_, one.waiting_.what());
  one.waiting_.get();
}

void Descriptors::add(int fd, DescriptorWait& one) {
  if (Watched* known = find(fd); known != nullptr && is_told(*known, one)) {
    return append(*known, one);
  }
  Watched& watched = take_place(fd);
  append(watched, one);
  try {
    if (!tell_poller(fd, watched)) return;
    if (watched.owned) return abandon(fd, watched);  // the owner was not asked
    remove(watched, one);
    const Ref<LoopHandle> reader = std::exchange(watched.reader, {});
    const Ref<LoopHandle> writer = std::exchange(watched.writer, {});
    awaited_ -= (reader ? 1u : 0u) + (writer ? 1u : 0u);
    end_waits(watched);
    renew(watched);
    append(watched, one);
    tell_poller(fd, watched);
    if (reader) reader->cancel();
    if (writer) writer->cancel();
  } catch (...) {
    Watched& now = watched_[static_cast<std::size_t>(fd)];
    remove(now, one);
    leave_place(now);
    throw;
  }
}

void Descriptors::withdraw(int fd, DescriptorWait& one) noexcept {
  if (!one.listed_) return;
  Watched& watched = watched_[static_cast<std::size_t>(fd)];
  remove(watched, one);
  if (watched.owned) return;
  try {
    if (wanted(watched) == watched.interest || !tell_poller(fd, watched)) {
      return leave_place(watched);
    }
  } catch (const std::exception&) {  // it is not open any more
  }
  abandon(fd, watched);
}

std::uint32_t Descriptors::own(int fd) {
  if (is_owned(fd)) abandon(fd, *find(fd));  // who owned it did not close it: somebody else did
  Watched& watched = take_place(fd);
  if (watched.reader || watched.writer) {
    throw RuntimeError("descriptor " + std::to_string(fd) +
                       " is watched by a callback of add_reader or add_writer; remove that first");
  }
  if (watched.interest != 0 && tell_poller(fd, watched)) {
    end_waits(watched);
    renew(watched);
  }
  watched.owned = true;
  watched.interest = 0;
  return watched.generation;
}

bool Descriptors::is_owned(int fd) const noexcept {
  const Watched* watched = find(fd);
  return watched != nullptr && watched->owned;
}

void Descriptors::disown(int fd, std::uint32_t owner) noexcept {
  if (!closed_ && is_owned_by(fd, owner)) abandon(fd, *find(fd));
}

void Descriptors::closing(int fd) noexcept {
  if (Watched* watched = find(fd)) abandon(fd, *watched);
}

void Descriptors::take(const PollEvent& event) {
  const int fd = static_cast<int>(event.tag & 0xffffffffu);
  const auto find_told = [&] {
    Watched* watched = find(fd);
    return watched != nullptr && watched->generation == event.tag >> 32 ? watched : nullptr;
  };
  Watched* watched = find_told();
  if (watched == nullptr) return;
  if ((event.ready & PollEvent::ended) != 0) watched->ended = true;
  if ((event.ready & PollEvent::readable) != 0) watched->drained = false;
  for (const bool writing : {false, true}) {
    const std::uint32_t bit = writing ? PollEvent::writable : PollEvent::readable;
    if ((event.ready & bit) == 0) continue;
    for (DescriptorWait* one = watched->first; one != nullptr; one = one->next_) {
      if ((one->ready_ & bit) != 0 && !one->waiting_.is_done()) one->waiting_.finish();
    }
    if (!(writing ? watched->writer : watched->reader)) continue;
    tell_callback(fd, writing);
    watched = find_told();
    if (watched == nullptr) return;
  }
}

void Descriptors::tell_callback(int fd, bool writing) {
  const Watched& watched = *find(fd);
  const Ref<LoopHandle> handle = writing ? watched.writer : watched.reader;
  if (handle->is_cancelled()) {  // by its handle, not by remove_reader()
    unwatch(fd, writing);
  } else {
    core_.ready.reserve();
    handle->add_ref();
    core_.ready.push(Entry(*handle));
  }
}

void Descriptors::close() noexcept {
  closed_ = true;
  for (std::size_t fd = 0; fd < watched_.size(); ++fd) {
    // Tasks that are left never go on, and what is theirs is not touched any more.
    const Ref<LoopHandle> reader = std::exchange(watched_[fd].reader, {});
    const Ref<LoopHandle> writer = std::exchange(watched_[fd].writer, {});
    if (reader) reader->cancel();
    if (writer) writer->cancel();
  }
  watched_ = {};
  awaited_ = size_ = 0;
}

}  // namespace jumpcut::impl
