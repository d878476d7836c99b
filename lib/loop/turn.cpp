// One turn of the loop: what is due becomes ready, then one batch runs.

#include "loop/loop_state.hpp"

#include <jumpcut/error.hpp>

#include "base/check.hpp"
#include "base/own_threads.hpp"

#include <algorithm>
#include <utility>

namespace jumpcut::impl {

namespace {

constexpr std::int64_t longest_wait = std::int64_t{24} * 3600 * 1'000'000'000;

std::int64_t count(TimePoint time) noexcept {
  return time.time_since_epoch().count();
}

/// In the place of what was taken back out of the ready queue.
class Nothing final : public Callback {
 public:
  void run() override {}
  void dispose() noexcept override {}
};

constinit Nothing nothing;

}  // namespace

void LoopState::cycle() {
  for (;;) {
    turn();
    if (interrupted.exchange(false, std::memory_order_relaxed)) {
      throw Interrupted("interrupted by a second SIGINT, while tasks were ending");
    }
    if (stopping) break;
  }
  stopping = false;
  core.attention.fetch_and(~stopping_bit, std::memory_order_relaxed);
}

void LoopState::turn() {
  take_posts();
  poll();
  take_due_timers();
  if (random_.has_value()) shuffle();
  set_attention();
  turn_batch();
}

void LoopState::turn_batch() {
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

void LoopState::poll() {
  if (!core.ready.empty() || stopping) {
    if (!watched_.empty()) wait_for_events(0);
    return;
  }
  const std::int64_t* next = timers.next();
  if (next == nullptr) {
    if (can_go_on()) return wait_for_events(-1);
    take_posts();  // the last thing that somebody did who is gone by now
    if (core.ready.empty()) throw_deadlock();
    return;
  }
  const std::int64_t wait = *next - count(now());
  if (wait <= 0) {
    if (!watched_.empty()) wait_for_events(0);
    return;
  }
  if (options.clock == nullptr) return wait_for_events(std::min(wait, longest_wait));

  // Before a virtual clock jumps, what comes from outside has its turn.
  if (outsiders->threads.load(std::memory_order_acquire) > 0) return wait_for_events(-1);
  const TimePoint when{std::chrono::nanoseconds(*next)};
  if (!watched_.empty()) wait_for_events(0);
  take_posts();
  if (core.ready.empty() && !clock->jump_to(when)) wait_for_events(std::min(wait, longest_wait));
}

/// Sleeps in the kernel's poller, or only looks.
void LoopState::wait_for_events(std::int64_t timeout) {
  bool sleeps = timeout != 0;
  if (sleeps && !posts->prepare_to_sleep()) {
    sleeps = false;
    timeout = 0;
  }
  ++polls;
  std::size_t found = 0;
  try {
    found = poller->wait(events_, timeout);
  } catch (...) {
    if (sleeps) posts->awake();
    throw;
  }
  if (sleeps) posts->awake();
  take_posts();
  for (std::size_t i = 0; i < found; ++i) take_event(events_[i]);
}

void LoopState::take_event(const PollEvent& event) {
  const int fd = static_cast<int>(event.tag & 0xffffffffu);
  if (fd == posts->fd()) return posts->drain_fd();
  const auto place = watched_.find(fd);
  if (place == watched_.end() || place->second.generation != event.tag >> 32) return;
  if ((event.ready & PollEvent::readable) != 0 && place->second.reader) {
    push_handle(*place->second.reader);
  }
  if ((event.ready & PollEvent::writable) != 0 && place->second.writer) {
    push_handle(*place->second.writer);
  }
}

void LoopState::push_handle(LoopHandle& handle) {
  core.ready.reserve();
  handle.add_ref();
  core.ready.push(Entry(handle));
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
  if (options.clock == nullptr || when <= now()) {
    if ((core.attention.load(std::memory_order_relaxed) & turning_bit) == 0) {
      core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
    }
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
  if (place < ready.head || ready.slots[place & ready.mask].address() != entry.address()) {
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
  bool turning = !watched_.empty() || random_.has_value() || core.careful;
  if (!turning && timers.size() > 0) {
    turning = options.clock == nullptr || *timers.next() <= count(now());
  }
  const bool before = (core.attention.load(std::memory_order_relaxed) & turning_bit) != 0;
  if (turning == before) return;
  if (turning) {
    core.attention.fetch_or(turning_bit, std::memory_order_relaxed);
  } else {
    core.attention.fetch_and(~turning_bit, std::memory_order_relaxed);
  }
}

bool LoopState::can_go_on() const {
  if (!watched_.empty() || outsiders->threads.load(std::memory_order_acquire) > 0) return true;
  if (options.clock != nullptr && outsiders->callbacks.load(std::memory_order_acquire) == 0) {
    return false;
  }
  return foreign_threads_exist();
}

}  // namespace jumpcut::impl
