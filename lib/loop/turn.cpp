// One turn of the loop: what is due becomes ready, then one batch runs.

#include "loop/loop_state.hpp"

#include <jumpcut/error.hpp>

#include "base/check.hpp"
#include "base/own_threads.hpp"
#include "loop/interrupt.hpp"

#include <algorithm>
#include <utility>

namespace jumpcut::impl {

namespace {

constexpr std::int64_t longest_wait = std::int64_t{24} * 3600 * 1'000'000'000;

std::int64_t count(TimePoint time) noexcept {
  return time.time_since_epoch().count();
}

}  // namespace

[[gnu::hot]] void LoopState::cycle() {
  struct Stopped {
    LoopState& loop;
    ~Stopped() {
      loop.stopping = false;
      loop.core.attention.fetch_and(~stopping_bit, std::memory_order_relaxed);
    }
  } stopped{*this};
  do {
    take_interrupt();
    turn();
  } while (!stopping);
}

void LoopState::take_interrupt() {
  if ((core.attention.load(std::memory_order_relaxed) & interrupt_bit) == 0) return;
  core.attention.fetch_and(~interrupt_bit, std::memory_order_acquire);
  if (interrupt_guard != nullptr) interrupt_guard->take();
}

[[gnu::hot]] void LoopState::turn() {
  take_posts();
  poll();
  take_due_timers();
  if (random_.has_value()) shuffle();
  set_attention();
  turn_batch();
}

[[gnu::hot]] void LoopState::turn_batch() {
  struct Beating {
    explicit Beating(Heartbeat* one) noexcept : heartbeat(one) {
      if (heartbeat != nullptr) heartbeat->begin();
    }
    ~Beating() {
      if (heartbeat != nullptr) heartbeat->end();
    }
    Heartbeat* heartbeat;
  };
  {
    const Beating beating(heartbeat_.has_value() ? &*heartbeat_ : nullptr);
    SchedulerDoor::turn(scheduler);
  }
  slow_steps_.report();
}

[[gnu::hot]] void LoopState::poll() {
  if (!core.ready.empty() || stopping) {
    if (descriptors->is_awaited()) look_for_events();
    return;
  }
  const std::int64_t* next = timers.next();
  if (next == nullptr) {
    if (is_awaited()) return wait_for_events(TimePoint::max());
    if (others_could_post()) return wait_for_others();
    take_posts();  // the last thing that somebody did who is gone by now
    if (core.ready.empty()) throw_deadlock();
    return;
  }
  const TimePoint when{std::chrono::nanoseconds(*next)};
  const TimePoint time = now();
  if (when <= time) {
    if (descriptors->is_awaited()) look_for_events();
    return;
  }
  if (options.clock == nullptr) return wait_for_events(when);

  // Before a virtual clock jumps, what comes from outside has its turn.
  if (outsiders->threads.load(std::memory_order_acquire) > 0) {
    return wait_for_events(std::max(when, time + std::chrono::milliseconds(1)));
  }
  if (descriptors->is_awaited()) look_for_events();
  take_posts();
  if (core.ready.empty() && !clock->jump_to(when)) wait_for_events(when);
}

/// A thread that could post may also end without a word: looks again now and then whether it is
/// still there.
void LoopState::wait_for_others() {
  wait_for_events(deadline_after(now(), patience_));
  patience_ = core.ready.empty() ? std::min(2 * patience_, most_patience) : least_patience;
}

void LoopState::look_for_events() {
  ++polls;
  take_events(poller->wait(events_, 0));
}

/// Sleeps in the kernel's poller until something comes, or until then. A signal that brings nothing
/// does not end it.
[[gnu::hot]] void LoopState::wait_for_events(TimePoint until) {
  if (is_another_process()) {
    throw RuntimeError(
        "a loop can't wait in a process that was forked while it ran; make a new one there");
  }
  if (!posts->prepare_to_sleep()) return;  // something was posted
  struct Awake {
    PostQueue& posts;
    ~Awake() { posts.awake(); }
  };
  std::size_t found = 0;
  {
    const Awake awake{*posts};
    do {
      std::int64_t left = -1;
      if (until != TimePoint::max()) {
        left = std::min(count(until) - count(now()), longest_wait);
        if (left <= 0) break;
      }
      ++polls;
      found = poller->wait(events_, left);
    } while (found == 0 && options.clock == nullptr);
  }
  take_posts();
  take_events(found);
}

[[gnu::hot]] void LoopState::take_events(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) take_event(events_[i]);
}

void LoopState::take_event(const PollEvent& event) {
  const int fd = static_cast<int>(event.tag & 0xffffffffu);
  if (fd == posts->fd()) return posts->drain_fd();
  descriptors->take(event);
}

void LoopState::take_due_timers() {
  if (timers.size() == 0) return;
  const std::int64_t now_ns = count(now());
  while (TimerNode* node = timers.pop_due(now_ns)) {
    auto& timer = static_cast<Timer&>(*node);
    timer.place = core.ready.tail;
    core.ready.push(Entry(timer));
  }
}

void LoopState::add_timer(TimePoint when, Timer& timer) {
  if (when == TimePoint::max()) return;  // never
  core.ready.reserve();
  try {
    timers.add(count(when), timer);
  } catch (...) {
    core.ready.give_up();
    throw;
  }
  if ((core.attention.load(std::memory_order_relaxed) & turning_bit) == 0) {
    core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
  }
}

void LoopState::add_due_timer(Timer& timer) {
  core.ready.reserve();
  timer.place = core.ready.tail;
  core.ready.push(Entry(timer));
}

void LoopState::cancel_timer(Timer& timer) noexcept {
  if (timer.is_set()) {
    timers.cancel(timer);
    core.ready.give_up();
    return;
  }
  if (timer.place == Timer::nowhere) return;
  // It is due, but its turn has not come: its entry must not lead here any more.
  const Entry entry(timer);
  ReadyQueue& ready = core.ready;
  std::uint64_t place = timer.place;
  if (ready.slots[place & ready.mask].address() != entry.address()) {
    place = ready.head;  // shuffled
    while (place != ready.tail && ready.slots[place & ready.mask].address() != entry.address()) {
      ++place;
    }
  }
  if (place != ready.tail) ready.slots[place & ready.mask] = Entry(nothing);
  timer.place = Timer::nowhere;
}

void LoopState::shuffle() noexcept {
  ReadyQueue& ready = core.ready;
  for (std::uint64_t left = ready.size(); left > 1; --left) {
    const std::uint64_t other = ready.head + (*random_)() % left;
    std::swap(ready.slots[(ready.head + left - 1) & ready.mask], ready.slots[other & ready.mask]);
  }
}

/// Whether the hub must be entered between two ticks.
void LoopState::set_attention() noexcept {
  const bool turning =
      timers.size() > 0 || descriptors->is_awaited() || random_.has_value() || core.careful;
  const bool before = (core.attention.load(std::memory_order_relaxed) & turning_bit) != 0;
  if (turning == before) return;
  if (turning) {
    core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
  } else {
    core.attention.fetch_and(~turning_bit, std::memory_order_relaxed);
  }
}

/// Whether something outside is expected, however long it takes: then there is no deadlock.
bool LoopState::is_awaited() const {
  return descriptors->is_awaited() || outsiders->threads.load(std::memory_order_acquire) > 0 ||
         outsiders->owners.load(std::memory_order_relaxed) > 0 ||
         (options.clock == nullptr && outsiders->signals.load(std::memory_order_relaxed) > 0);
}

bool LoopState::others_could_post() const {
  if (options.clock != nullptr && outsiders->callbacks.load(std::memory_order_acquire) == 0 &&
      outsiders->signals.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  return foreign_threads_exist();
}

}  // namespace jumpcut::impl
