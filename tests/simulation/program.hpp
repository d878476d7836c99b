// Random programs over the whole of the library.

#pragma once

#include "world.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

/// What came of one.
struct Outcome {
  std::uint64_t hash = 0;   ///< of all that happened
  std::uint64_t looks = 0;  ///< how often time passed, and all was looked at
  std::size_t tasks = 0;
  std::string failure = {};  ///< empty if all was as it must be
};

struct Options {
  bool talkative = false;  ///< writes the trace to standard error
  bool sabotage = false;   ///< somebody takes items out of a queue unseen: must be found
};

/// Makes up the program of this seed and runs it.
Outcome simulate(std::uint64_t seed, const Options& options = {});

/// A task's function: does things at random.
class Body {
 public:
  Body(World& world, Actor& actor, int depth);
  int operator()();

 private:
  struct End {
    explicit End(Actor& one) noexcept : actor(one) {}
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() { actor.ended = true; }
    Actor& actor;
    Live live = {};
  };

  World* world_;
  Actor* actor_;
  int depth_;
  std::shared_ptr<End> end_;  // when the last copy goes, it will never run
};

/// The task and what it may do: one step each. What it waits for may throw Cancelled, Boom, and
/// what the operation may throw.
class Steps {
 public:
  Steps(World& world, Actor& self, int depth) : world_(world), self_(self), depth_(depth) {}

  /// Some steps, each of which may fail in ways that it may.
  void some(std::size_t most);
  void one();
  Actor& spawn(bool may_be_eager = true);

 private:
  // steps_tasks.cpp
  void sleep();
  void cancel();
  void await_task();
  void future();
  void gather();
  void wait();
  void as_completed();
  void shield();
  void group();
  // steps_scopes.cpp
  void timeout();
  void wait_for();
  void move_on();
  void callbacks();
  void await_callback();
  void context();
  void generator();
  // steps_sync.cpp
  void lock();
  void semaphore();
  void event();
  void condition();
  void barrier();
  void queue();
  void channel();
  void select();

  /// Tasks that it may wait for: only later ones, so that none waits for itself.
  std::vector<Actor*> younger(std::size_t most);
  jumpcut::Future<int> handle(const Actor& actor) const;
  void attempt();
  void hold(LockModel& model);
  void wait_in(ConditionModel& model);
  void tell(ConditionModel& model);
  void received(ChannelModel& model, const Item& item);
  Item make_item();

  World& world_;
  Actor& self_;
  int depth_;
};

}  // namespace simulation
