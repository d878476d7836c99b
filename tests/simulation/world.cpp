#include "world.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

namespace simulation {

jumpcut::ContextVar<int> variable("variable", -1);

Armed::Armed(World& world, TimePoint when) : world_(world), place_(world.deadlines.insert(when)) {}

Armed::~Armed() {
  world_.deadlines.erase(place_);
}

bool Clock::jump_to(TimePoint when) {
  if (when <= now_) world_.fail(nullptr, "the loop waits for a time that is over");
  world_.look_around(when);
  now_ = when;
  return true;
}

World::World(std::uint64_t seed, bool is_talkative)
    : random(seed), talkative(is_talkative), clock(*this) {
  locks.resize(2);
  events.resize(2);
  conditions.resize(1);
  semaphores.emplace_back(1);
  semaphores.emplace_back(2);
  barriers.emplace_back(2);
  barriers.emplace_back(3);
  queues.emplace_back(QueueModel::Kind::fifo, static_cast<int>(random.below(3)));
  queues.emplace_back(QueueModel::Kind::lifo, static_cast<int>(random.below(3)));
  queues.emplace_back(QueueModel::Kind::priority, static_cast<int>(random.below(3)));
  channels.emplace_back(std::size_t{0});
  channels.emplace_back(random.below(3));
}

void World::note(const Actor* actor, const char* what, std::uint64_t value) {
  const auto add = [this](std::uint64_t number) {
    for (int i = 0; i < 8; ++i) {
      hash = (hash ^ (number & 0xff)) * 0x100000001b3u;
      number >>= 8;
    }
  };
  const auto time = now().time_since_epoch().count();
  const std::uint64_t who = actor == nullptr ? ~std::uint64_t{0} : actor->number;
  for (const char* c = what; *c != 0; ++c) add(static_cast<unsigned char>(*c));
  add(who);
  add(value);
  add(static_cast<std::uint64_t>(time));
  if (!talkative) return;
  const std::string name = actor == nullptr ? "loop" : "T" + std::to_string(actor->number);
  std::fprintf(stderr, "%6lld ms  %-5s %s %llu\n", static_cast<long long>(time / 1'000'000),
               name.c_str(), what, static_cast<unsigned long long>(value));
}

void World::fail(const Actor* actor, const std::string& what) {
  note(actor, what.c_str());
  if (!failure.empty()) return;
  failure = (actor == nullptr ? std::string("loop") : "T" + std::to_string(actor->number)) + ": " +
            what + ", at " + std::to_string(now().time_since_epoch().count() / 1'000'000) + " ms";
}

Actor& World::add_actor(int value) {
  actors.push_back(std::make_unique<Actor>());
  actors.back()->number = actors.size() - 1;
  actors.back()->variable = value;
  return *actors.back();
}

void World::cancel(Actor& actor) {
  if (!actor.task || actor.ended) return;
  const bool told = random.one_in(2) ? actor.task.cancel() : actor.task.cancel("why");
  note(&actor, "cancel", told);
  if (!told) return;
  ++actor.requests;
  if (actor.waits.empty()) {
    actor.expects_cancelled = true;
  } else if (actor.waits.back()->answer != Answer::passed_on) {
    actor.expects_cancelled = true;
    actor.waits.back()->cancel_requested = true;
  }
}

bool World::may_be_cancelled(const Wait& wait) const {
  const Actor& actor = *wait.actor;
  if (ending || actor.requests > 0 || actor.followed || actor.groups > 0) return true;
  return std::any_of(actor.scopes.begin(), actor.scopes.end(), [this](const Scope* scope) {
    return scope->deadline <= const_cast<World*>(this)->now() ||
           (scope->timeout != nullptr && scope->timeout->expired()) ||
           (scope->cancel_scope != nullptr && scope->cancel_scope->cancel_called());
  });
}

void World::begin_wait(Actor& self, Wait& record) {
  note(&self, record.what);
  self.waits.push_back(&record);
}

void World::end_wait(Actor& self, Wait& record, bool cancelled) {
  note(&self, cancelled ? "cancelled in" : "leaves", record.what[0] == 0 ? 0u : 1u);
  if (self.waits.empty() || self.waits.back() != &record) {
    return fail(&self, std::string("resumed out of turn in ") + record.what);
  }
  self.waits.pop_back();
  if (ending) return;
  check(jumpcut::current_task() == jumpcut::AnyFuture(self.task.ref()), &self,
        "resumed as somebody else");
  check(variable.get() == self.variable, &self, "its context variable changed during a wait");
  if (record.answer == Answer::passed_on) {  // whoever it was passed on to may have swallowed it
    self.expects_cancelled = false;
    mark_delivered(self);
  }
  if (cancelled) {
    if (record.answer != Answer::passed_on && !may_be_cancelled(record)) {
      fail(&self, std::string("cancelled by nobody in ") + record.what);
    }
    self.expects_cancelled = false;
    mark_delivered(self);
  } else if (record.cancel_requested &&
             (record.answer == Answer::at_once || record.answer == Answer::in_time)) {
    fail(&self, std::string("a cancellation got lost in ") + record.what);
  }
}

void World::mark_delivered(const Actor& self) {
  for (Scope* scope : self.scopes) {
    if (scope->deadline <= now()) scope->delivered = true;
  }
}

void World::check_parked(Actor& actor) {
  if (!actor.begun) return fail(&actor, "never began");
  if (actor.waits.empty()) return fail(&actor, "parked where nothing waits");
  const Wait& wait = *actor.waits.back();
  if (!wait.must_wait()) fail(&actor, std::string("a wake got lost in ") + wait.what);
  const bool obeys = wait.answer == Answer::at_once || wait.answer == Answer::committed;
  if (obeys && actor.expects_cancelled) {
    fail(&actor, std::string("cancelled, and parked still in ") + wait.what);
  }
  bool shielded = false;
  for (std::size_t i = actor.scopes.size(); i-- > 0;) {
    const Scope& scope = *actor.scopes[i];
    if (scope.timeout != nullptr && scope.deadline <= now()) {
      check(scope.timeout->expired(), &actor, "a timeout did not expire");
      check(scope.delivered || !obeys, &actor, "a timeout did not interrupt a wait");
    }
    if (scope.cancel_scope == nullptr) continue;
    check(scope.deadline > now() || scope.cancel_scope->cancel_called(), &actor,
          "a scope's deadline was missed");
    check(!scope.cancel_scope->cancel_called() || shielded || !obeys, &actor,
          "parked in a cancelled scope");
    shielded = shielded || scope.cancel_scope->shield();
  }
}

void World::look_around(TimePoint when) {
  ++looks;
  note(nullptr, "time passes", static_cast<std::uint64_t>(when.time_since_epoch().count()));
  if (ending) return;
  const jumpcut::LoopStats stats = jumpcut::get_running_loop().stats();
  check(stats.ready == 0, nullptr, "time passes while something is ready");
  check(calls_ready == 0, nullptr, "a callback is not called");
  const auto next = deadlines.upper_bound(now());
  check(next != deadlines.end() && *next == when, nullptr, "the loop waits for the wrong timer");
  const auto timers = static_cast<std::size_t>(std::distance(next, deadlines.end()));
  if (timers != stats.timers) {
    fail(nullptr, "the loop has " + std::to_string(stats.timers) + " timers instead of " +
                      std::to_string(timers));
  }
  std::size_t alive = 0;
  for (const auto& actor : actors) {
    if (actor->task && actor->task.done()) actor->ended = true;
    if (actor->ended) continue;
    ++alive;
    check_parked(*actor);
  }
  check(alive == stats.tasks, nullptr, "tasks are left over, or missing");
  for (const QueueModel& queue : queues) {
    check(queue.holds_as_many(), nullptr, "a queue lost an item, or has one too many");
  }
  for (const ChannelModel& model : channels) {
    check(model.sent == model.received + model.channel.size(), nullptr,
          "a channel lost a value, or has one too many");
  }
  for (const LockModel& model : locks) {
    check(model.lock.locked() == (model.holder != nullptr), nullptr, "a lock nobody holds");
  }
  for (const SemaphoreModel& model : semaphores) {
    check(model.semaphore.value() == model.free, nullptr, "a semaphore's permits got lost");
  }
}

namespace {

/// Nobody is to be told of it.
void take_error(const jumpcut::AnyFuture& future) {
  if (future && future.done() && !future.cancelled()) static_cast<void>(future.exception());
}

}  // namespace

/// The loop is closed; nothing runs any more.
void World::after_end() {
  for (const auto& actor : actors) {
    check(actor->ended, actor.get(), "outlived the loop");
    check(actor->waits.empty(), actor.get(), "ended in a wait");
    take_error(actor->task);
    actor->task = {};
  }
  for (const FutureModel& model : futures) take_error(model.future);
  for (const LockModel& model : locks) {
    check(model.lock.n_waiting() == 0 && !model.lock.locked(), nullptr, "a lock is left locked");
  }
  for (const SemaphoreModel& model : semaphores) {
    check(model.semaphore.n_waiting() == 0 && model.semaphore.value() == model.free, nullptr,
          "a semaphore is left without its permits");
  }
}

}  // namespace simulation
