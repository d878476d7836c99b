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

Watched& Descriptors::take_place(int fd) {
  if (Watched* watched = find(fd)) return *watched;
  if (watched_.at(fd) == nullptr) {
    // Not room for whatever number: the poller says what is wrong with it.
    if (fcntl(fd, F_GETFD) < 0) poller_.watch(fd, PollEvent::readable, 0);
  }
  Watched& watched = watched_.make(fd);
  renew(watched);
  ++size_;
  return watched;
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
    remove(watched, one);
    leave_place(watched);
    throw;
  }
}

void Descriptors::withdraw(int fd, DescriptorWait& one) noexcept {
  if (!one.listed_) return;
  Watched& watched = *watched_.at(fd);
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

Watched& Descriptors::own(int fd) {
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
  return watched;
}

bool Descriptors::is_owned(int fd) const noexcept {
  const Watched* watched = find(fd);
  return watched != nullptr && watched->owned;
}

void Descriptors::disown(int fd, std::uint32_t owner) noexcept {
  Watched* const watched = find(fd);
  if (!closed_ && watched != nullptr && watched->generation == owner) abandon(fd, *watched);
}

void Descriptors::closing(int fd) noexcept {
  if (Watched* watched = find(fd)) abandon(fd, *watched);
}

[[gnu::hot]] void Descriptors::take(const PollEvent& event) {
  Watched* watched = find(fd_of(event));
  if (watched == nullptr || watched->generation != event.tag >> 32) return;
  if ((event.ready & PollEvent::ended) != 0) watched->ended = true;
  if ((event.ready & PollEvent::readable) != 0) watched->drained = false;
  if (watched->first != watched->last || watched->reader || watched->writer) {
    return take_in_turn(event);
  }
  DescriptorWait* const one = watched->first;  // the only one
  if (one != nullptr && (one->ready_ & event.ready) != 0 && !one->waiting_.is_done()) {
    one->waiting_.finish();
  }
}

/// Who reads, and who writes.
void Descriptors::take_in_turn(const PollEvent& event) {
  const int fd = fd_of(event);
  for (const bool writing : {false, true}) {
    Watched* watched = find(fd);
    if (watched == nullptr || watched->generation != event.tag >> 32) return;
    const std::uint32_t bit = writing ? PollEvent::writable : PollEvent::readable;
    if ((event.ready & bit) == 0) continue;
    for (DescriptorWait* one = watched->first; one != nullptr; one = one->next_) {
      if ((one->ready_ & bit) != 0 && !one->waiting_.is_done()) one->waiting_.finish();
    }
    if (writing ? watched->writer : watched->reader) tell_callback(fd, writing);
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
  watched_.visit([](Watched& watched) {
    // Tasks that are left never go on, and what is theirs is not touched any more.
    const Watched left = std::exchange(watched, {});
    if (left.reader) left.reader->cancel();
    if (left.writer) left.writer->cancel();
  });
  awaited_ = size_ = 0;
}

}  // namespace jumpcut::impl
