// What a simulated program is made of, and what is known about it beside what the library says: who
// waits for what, since when and until when, who was cancelled, who holds what. Whenever nothing is
// ready and time is about to pass, the two are compared.

#pragma once

#include <jumpcut/jumpcut.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

using namespace std::chrono_literals;
using jumpcut::TimePoint;

/// What simulated programs throw.
struct Boom : std::runtime_error {
  Boom() : std::runtime_error("boom") {}
};

/// SplitMix64: good enough, small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t x = state_ += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
  }
  std::size_t below(std::size_t limit) noexcept { return next() % limit; }
  bool one_in(std::size_t count) noexcept { return below(count) == 0; }
  std::chrono::milliseconds delay(std::size_t most) noexcept {
    return std::chrono::milliseconds(below(most + 1));
  }

 private:
  std::uint64_t state_;
};

/// Counts itself: none must be left when a program has ended.
class Live {
 public:
  Live() noexcept { ++count; }
  Live(const Live&) noexcept { ++count; }
  Live& operator=(const Live&) noexcept = default;
  ~Live() { --count; }

  static inline std::ptrdiff_t count = 0;
};

/// How a wait answers when its task is cancelled.
enum class Answer {
  at_once,    ///< throws Cancelled, whatever else has happened
  in_time,    ///< the same, but not before something else has happened
  committed,  ///< unless it is complete already: then the next wait throws it
  passed_on,  ///< whom it waits for is cancelled, and it ends as that does
};

struct Actor;
class World;

/// A wait of a task, from before the call until after it.
struct Wait {
  const char* what = "";
  Answer answer = Answer::at_once;
  std::function<bool()> must_wait = nullptr;  ///< nothing has happened that should have ended it
  bool cancel_requested = false;
  Actor* actor = nullptr;
};

/// A moment for which a timer is set, for as long as this lives and the moment is not over.
class Armed {
 public:
  Armed(World& world, TimePoint when);
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  ~Armed();

 private:
  World& world_;
  std::multiset<TimePoint>::iterator place_;
};

/// A timeout or cancel scope that a task is in.
struct Scope {
  TimePoint deadline = TimePoint::max();
  jumpcut::Timeout* timeout = nullptr;
  jumpcut::CancelScope* cancel_scope = nullptr;
  bool delivered = false;  ///< Cancelled was thrown since the deadline
  std::optional<Armed> armed = {};
};

/// A simulated task.
struct Actor {
  std::size_t number = 0;
  jumpcut::AnyTask task = {};
  bool begun = false;
  bool ended = false;
  bool expects_cancelled = false;  ///< cancel() was called, and Cancelled not thrown yet
  bool followed = false;           ///< may be cancelled by whoever waits for it
  int requests = 0;                ///< of cancellation, less those taken back
  int groups = 0;                  ///< that it is in
  int conditions = 0;              ///< whose lock it holds
  int variable = 0;                ///< what its context variable is
  int values_sent = 0;
  std::vector<Wait*> waits = {};  ///< the innermost last
  std::vector<Scope*> scopes = {};
};

struct Item {
  int priority = 0;
  int number = 0;
  std::size_t sender = 0;
  Live live = {};
  bool operator<(const Item& other) const noexcept { return priority < other.priority; }
};

struct LockModel {
  jumpcut::Lock lock;
  Actor* holder = nullptr;
  std::deque<Wait*> queue = {};
};

struct SemaphoreModel {
  explicit SemaphoreModel(int permits) : semaphore(permits), free(permits) {}
  jumpcut::BoundedSemaphore semaphore;
  int free;
  std::deque<Wait*> queue = {};
};

struct EventModel {
  jumpcut::Event event;
  int times_set = 0;
};

struct ConditionModel {
  struct Waiter {
    Wait* wait;
    bool told;
  };
  jumpcut::Condition condition;
  Actor* holder = nullptr;
  std::deque<Waiter*> waiters = {};
  bool exact = true;  ///< no waiter was ever cancelled, so it is known who was told
};

struct BarrierModel {
  explicit BarrierModel(int parties) : barrier(parties) {}
  jumpcut::Barrier barrier;
  int arrivals = 0;
  int passages = 0;
};

/// What a queue of this kind must contain.
struct QueueModel {
  enum class Kind { fifo, lifo, priority };
  QueueModel(Kind kind_of, int maxsize);

  bool holds_as_many() const { return size() == items.size(); }
  std::size_t size() const;

  Kind kind;
  jumpcut::Queue<Item> fifo;
  jumpcut::LifoQueue<Item> lifo;
  jumpcut::PriorityQueue<Item> priority;
  jumpcut::impl::QueueBase* base;
  std::deque<Item> items = {};
  int unfinished = 0;
};

struct ChannelModel {
  explicit ChannelModel(std::size_t capacity) : channel(capacity) {}
  jumpcut::Channel<Item> channel;
  std::size_t sent = 0;
  std::size_t received = 0;
  std::set<std::pair<std::size_t, int>> seen = {};  ///< sender and number
  std::vector<std::vector<int>> last = {};          ///< number, by receiver and sender
};

struct FutureModel {
  jumpcut::Future<int> future;
  int value = 0;  ///< that it was set to
};

/// Moves on when nothing is ready, as a VirtualClock does, but looks around before.
class Clock final : public jumpcut::Clock {
 public:
  explicit Clock(World& world) noexcept : world_(world) {}
  TimePoint now() noexcept override { return now_; }
  bool jump_to(TimePoint when) override;

 private:
  World& world_;
  TimePoint now_{};
};

/// One program while it runs.
class World {
 public:
  World(std::uint64_t seed, bool talkative);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Something happened: part of the trace, by whose hash two runs are compared.
  void note(const Actor* actor, const char* what, std::uint64_t value = 0);
  /// Something happened that must not. The first counts.
  void fail(const Actor* actor, const std::string& what);
  void check(bool holds, const Actor* actor, const char* what) {
    if (!holds) fail(actor, what);
  }

  Actor& add_actor(int variable);
  /// cancel(), and what must come of it.
  void cancel(Actor& actor);
  /// True if somebody may have told the task of this wait to end.
  bool may_be_cancelled(const Wait& wait) const;

  /// Calls body(), which waits for one thing; `must_wait` says whether it has to be waiting still.
  template <class Body>
  void wait(Actor& self, const char* what, Answer answer, std::function<bool()> must_wait,
            Body&& body) {
    Wait record{what, answer, std::move(must_wait), false, &self};
    wait(self, record, std::forward<Body>(body));
  }
  template <class Body>
  void wait(Actor& self, Wait& record, Body&& body) {
    begin_wait(self, record);
    try {
      body();
    } catch (const jumpcut::Cancelled&) {
      end_wait(self, record, true);
      throw;
    } catch (...) {
      end_wait(self, record, false);
      throw;
    }
    end_wait(self, record, false);
  }

  /// Nothing is ready, and the loop is about to wait until then.
  void look_around(TimePoint when);
  TimePoint now() noexcept { return clock.now(); }
  void after_end();

  Random random;
  const bool talkative;
  Clock clock;
  std::uint64_t hash = 0xcbf29ce484222325u;
  std::string failure;
  std::size_t steps = 0;  ///< that are left
  bool reaping = false;   ///< all are to end
  bool shuffled = false;  // what is ready runs in another order
  bool ending = false;    ///< the main task is over
  int calls_ready = 0;    ///< that call_soon was asked for and were not made
  int next_number = 0;
  std::uint64_t looks = 0;

  std::vector<std::unique_ptr<Actor>> actors;
  std::multiset<TimePoint> deadlines;
  std::deque<LockModel> locks;
  std::deque<SemaphoreModel> semaphores;
  std::deque<EventModel> events;
  std::deque<ConditionModel> conditions;
  std::deque<BarrierModel> barriers;
  std::deque<QueueModel> queues;
  std::deque<ChannelModel> channels;
  std::vector<FutureModel> futures;
  std::vector<Scope*> open_scopes;

 private:
  void begin_wait(Actor& self, Wait& record);
  void end_wait(Actor& self, Wait& record, bool cancelled);
  void mark_delivered(const Actor& self);
  void check_parked(Actor& actor);
};

/// Set to something else in each task.
extern jumpcut::ContextVar<int> variable;

}  // namespace simulation
