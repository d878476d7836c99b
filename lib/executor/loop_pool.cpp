#include <jumpcut/loop_pool.hpp>

#include <jumpcut/await_callback.hpp>
#include <jumpcut/error.hpp>

#include "base/check.hpp"
#include "executor/loop_pool_state.hpp"
#include "executor/processors.hpp"
#include "executor/start_thread.hpp"

#include <algorithm>

#include <sched.h>
#include <unistd.h>

namespace jumpcut {

namespace impl {

namespace {

LoopPoolOptions checked(LoopPoolOptions options) {
  constexpr std::size_t most_loops = 10'000;
  if (options.loops > most_loops) {
    throw ValueError("LoopPool: there were to be " + std::to_string(options.loops) +
                     " loops, and 10,000 are the most");
  }
  for (const int processor : options.processors) {
    if (processor < 0 || processor >= CPU_SETSIZE) {
      throw ValueError("LoopPool: there is no processor " + std::to_string(processor));
    }
  }
  if (options.loop.clock != nullptr && options.loop.clock != &SteadyClock::instance()) {
    throw ValueError("LoopPool: its threads can't share a clock; leave LoopOptions::clock null");
  }
  if (options.loops == 0) options.loops = usable_processors().size();
  return options;
}

}  // namespace

Seat::Seat(std::shared_ptr<PoolLoop> loop) noexcept : loop_(std::move(loop)) {
  loop_->sit();
}

Seat::~Seat() {
  if (loop_ != nullptr) loop_->leave();
}

Seat take_seat(LoopPoolState& pool, const char* call) {
  Seat seat(pool.choose(call).shared());
  pool.check_open(call);  // once it is counted
  return seat;
}

Seat take_seat(LoopPoolState& pool, std::size_t loop, const char* call) {
  Seat seat(pool.at(loop, call).shared());
  pool.check_open(call);
  return seat;
}

void post_call(PoolLoop& loop, ThreadState& state, std::unique_ptr<Posted> posted,
               const char* call) {
  state.set_thread(loop.thread());
  if (loop.has_ended() || !loop.post(std::move(posted))) {
    throw RuntimeError(std::string(call) + ": loop " + std::to_string(loop.number) +
                       " of the LoopPool has ended");
  }
}

LoopPoolState::LoopPoolState(LoopPoolOptions wanted)
    : options(checked(std::move(wanted))), process_(getpid()) {
  for (std::size_t i = 0; i < options.loops; ++i) {
    loops.push_back(std::make_unique<PoolLoop>(*this, i));
  }
}

void LoopPoolState::start() {
  std::exception_ptr error;
  try {
    threads_.reserve(loops.size());
    for (const auto& loop : loops) {
      const std::lock_guard lock(mutex_);
      const std::string name = options.name + "-" + std::to_string(loop->number);
      threads_.push_back(start_thread("LoopPool", "loop", name,
                                      [self = shared_from_this(), &one = *loop] { one.work(); }));
      ++running_;
    }
  } catch (...) {
    error = std::current_exception();
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_ == threads_.size(); });
    if (error == nullptr) error = error_;
  }
  if (error == nullptr) return;
  request_stop(std::chrono::nanoseconds(0));
  wait_until_ended(false);
  std::rethrow_exception(error);
}

void LoopPoolState::tell_started(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  ++started_;
  if (error_ == nullptr) error_ = std::move(error);
  changed_.notify_all();
}

void LoopPoolState::tell_ended(bool well) {
  std::vector<std::function<void()>> told;
  {
    const std::lock_guard lock(mutex_);
    well_ = well_ && well;
    if (--running_ == 0) told.swap(told_);
    changed_.notify_all();
  }
  for (const auto& tell : told) tell();
}

PoolLoop& LoopPoolState::choose(const char* call) {
  check_open(call);
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  PoolLoop* best = nullptr;
  for (std::size_t i = 0; i < loops.size(); ++i) {
    PoolLoop& one = *loops[(first + i) % loops.size()];
    if (one.has_ended()) continue;
    if (options.placement == Placement::round_robin) return one;
    if (best == nullptr || one.live() < best->live()) best = &one;
  }
  if (best != nullptr) return *best;
  throw RuntimeError(std::string(call) + ": all loops of the LoopPool have ended");
}

PoolLoop& LoopPoolState::at(std::size_t number, const char* call) const {
  if (number < loops.size()) return *loops[number];
  throw ValueError(std::string(call) + ": there is no loop " + std::to_string(number) +
                   " in a LoopPool of " + std::to_string(loops.size()));
}

PoolLoop* LoopPoolState::current() const noexcept {
  for (const auto& loop : loops) {
    if (loop->is_here()) return loop.get();
  }
  return nullptr;
}

bool LoopPoolState::is_another_process() const noexcept {
  return getpid() != process_;
}

void LoopPoolState::check_open(const char* call) const {
  if (is_another_process()) {
    throw RuntimeError(std::string(call) +
                       ": the threads of this LoopPool are in the process that forked this one; "
                       "make a new one");
  }
  if (stopping.load()) {
    throw RuntimeError(std::string(call) + ": the LoopPool is to stop, and takes no calls");
  }
}

void LoopPoolState::request_stop(PoolLoop::Grace grace) {
  if (is_another_process()) return;
  stopping = true;
  for (const auto& loop : loops) {
    if (!loop->has_ended()) loop->request_stop(grace);
  }
}

bool LoopPoolState::wait_until_ended(bool may_park) {
  if (may_park && TaskBase::current() != nullptr) {
    const AtWork at_work(*LoopState::running("stop").outsiders);
    await_callback<>([&](auto done) {
      {
        const std::lock_guard lock(mutex_);
        if (running_ > 0) return told_.push_back([done = std::move(done)] { done(); });
      }
      done();
    });
  }
  join();
  return well_;
}

/// Nobody else joins a thread that this one has taken out; who comes second waits for the last.
void LoopPoolState::join() {
  std::vector<std::thread> threads;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_ == 0; });
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void LoopPoolState::let_go() {
  const std::lock_guard lock(mutex_);
  for (std::thread& thread : threads_) thread.detach();
  threads_.clear();
}

}  // namespace impl

LoopPool::LoopPool(LoopPoolOptions options)
    : state_(std::make_shared<impl::LoopPoolState>(std::move(options))) {
  state_->start();
}

LoopPool::~LoopPool() {
  try {
    if (state_->is_another_process()) {
      // The threads are not here to be waited for, and their loops not to be touched.
      static_cast<void>(new std::shared_ptr<impl::LoopPoolState>(state_));
      return;
    }
    const bool is_own = state_->current() != nullptr;
    state_->request_stop(std::chrono::nanoseconds(0));
    if (is_own) {
      state_->let_go();
    } else {
      state_->wait_until_ended(false);
    }
  } catch (const std::exception& error) {
    impl::fail("a LoopPool is destroyed that can't be stopped: %s", error.what());
  }
}

std::size_t LoopPool::size() const noexcept {
  return state_->loops.size();
}

Loop& LoopPool::loop(std::size_t number) const {
  Loop* const loop = state_->at(number, "loop").loop();
  if (loop != nullptr) return *loop;
  throw RuntimeError("loop: loop " + std::to_string(number) + " of the LoopPool has ended");
}

std::optional<std::size_t> LoopPool::current() const noexcept {
  const impl::PoolLoop* const loop = state_->current();
  if (loop == nullptr) return std::nullopt;
  return loop->number;
}

std::vector<LoopPoolStats> LoopPool::stats() const {
  std::vector<LoopPoolStats> all;
  for (const auto& loop : state_->loops) all.push_back(loop->stats());
  return all;
}

bool LoopPool::stop_within(Grace grace) {
  const auto state = state_;
  if (state->is_another_process()) return true;
  if (state->current() != nullptr) {
    throw RuntimeError(
        "stop: a loop of the pool can't wait for its own end; call request_stop(), or stop() in "
        "another thread");
  }
  state->request_stop(grace);
  return state->wait_until_ended(true);
}

void LoopPool::request_stop_within(Grace grace) {
  state_->request_stop(grace);
}

bool LoopPool::is_stopping() const noexcept {
  return state_->stopping.load();
}

}  // namespace jumpcut
