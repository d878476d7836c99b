#include "program.hpp"

#include <algorithm>
#include <exception>

namespace simulation {

using jumpcut::Cancelled;

namespace {

constexpr std::size_t most_tasks = 40;

/// Programs may come to a standstill: from the first second on, all their tasks are cancelled every
/// second, until none is left.
void reap_later(World& world) {
  if (world.ending) return;
  world.deadlines.insert(world.now() + 1s);
  jumpcut::get_running_loop().call_later(1s, [&world] {
    world.reaping = true;
    for (const auto& actor : world.actors) world.cancel(*actor);
    reap_later(world);
  });
}

bool is_alive(const std::unique_ptr<Actor>& actor) {
  return actor->number != 0 && !actor->ended && !(actor->task && actor->task.done());
}

/// The program's first task: starts others, joins in, and waits for their end.
void main_task(World& world, Actor& self) {
  self.begun = true;
  self.task = jumpcut::current_task();
  variable.set(self.variable);
  reap_later(world);
  Steps steps(world, self, 0);
  const auto pass = [&](std::chrono::milliseconds time) {
    const Armed armed(world, world.now() + time);
    world.wait(
        self, "main's sleep", Answer::at_once, [] { return true; }, [&] { jumpcut::sleep(time); });
  };
  for (std::size_t i = 2 + world.random.below(6); i > 0; --i) steps.spawn();
  while (world.steps > 0 && !world.reaping) {
    try {
      steps.some(4);
      pass(3ms);
    } catch (const Cancelled&) {
      world.note(&self, "goes on");
    } catch (const Boom&) {
      world.note(&self, "goes on");
    }
  }
  world.steps = 0;
  if (world.random.one_in(3)) {
    world.ending = true;
    return;
  }
  for (int round = 0; std::any_of(world.actors.begin(), world.actors.end(), is_alive); ++round) {
    if (round == 300) {
      world.fail(&self, "some tasks don't end");
      break;
    }
    try {
      pass(1s);
    } catch (const Cancelled&) {
      world.note(&self, "goes on");
    }
  }
  world.ending = true;
}

bool is_boom(const std::exception_ptr& error) {
  return jumpcut::impl::holds<Boom>(error) ||
         jumpcut::impl::holds<jumpcut::CallbackRepeated>(error);
}

}  // namespace

Body::Body(World& world, Actor& actor, int depth)
    : world_(&world), actor_(&actor), depth_(depth), end_(std::make_shared<End>(actor)) {}

int Body::operator()() {
  World& world = *world_;
  Actor& self = *actor_;
  world.check(!self.begun, &self, "began twice");
  world.note(&self, "begins");
  self.begun = true;
  self.task = jumpcut::current_task();
  world.check(variable.get() == self.variable, &self, "has another context than its creator");
  variable.set(self.variable = ++world.next_number);
  struct Over {
    World& world;
    Actor& self;
    ~Over() {
      world.note(&self, "ends");
      self.ended = true;
    }
  } over{world, self};
  Steps(world, self, depth_).some(8);
  if (world.random.one_in(20)) throw Boom();
  return static_cast<int>(self.number);
}

Actor& Steps::spawn(bool may_be_eager) {
  Actor& child = world_.add_actor(self_.variable);
  jumpcut::TaskOptions options;
  options.eager_start = may_be_eager && world_.random.one_in(4);
  world_.note(&self_, "creates", child.number);
  const auto task = jumpcut::create_task(Body(world_, child, depth_ + 1), options);
  task.detach();
  child.task = task;
  world_.check(variable.get() == self_.variable, &self_,
               "a new task changed its creator's context");
  world_.check(jumpcut::current_task() == jumpcut::AnyFuture(self_.task.ref()), &self_,
               "is somebody else after create_task");
  return child;
}

void Steps::some(std::size_t most) {
  for (std::size_t i = 1 + world_.random.below(most); i > 0; --i) {
    if (world_.steps == 0 || (world_.reaping && self_.number != 0) || world_.ending) return;
    --world_.steps;
    attempt();
    if (!self_.followed && self_.scopes.empty() && self_.groups == 0 && !world_.ending) {
      world_.check(self_.task.cancelling() == self_.requests, &self_,
                   "as many cancellations as were asked for");
    }
  }
}

void Steps::attempt() {
  try {
    one();
  } catch (const Cancelled&) {
    if (world_.ending || world_.reaping || !world_.random.one_in(3)) throw;
    world_.note(&self_, "swallows");
    if (self_.requests > 0 && !self_.followed && self_.scopes.empty() && self_.groups == 0) {
      self_.requests = self_.task.uncancel();
      if (self_.requests == 0) self_.expects_cancelled = false;
    }
  } catch (const Boom&) {
    world_.note(&self_, "boom");
  } catch (const jumpcut::TimeoutError&) {
    world_.note(&self_, "timeout");
  } catch (const jumpcut::BrokenBarrierError&) {
    world_.note(&self_, "broken barrier");
  } catch (const jumpcut::QueueShutDown&) {
    world_.note(&self_, "queue shut down");
  } catch (const jumpcut::ChannelClosed&) {
    world_.note(&self_, "channel closed");
  } catch (const jumpcut::CallbackDropped&) {
    world_.note(&self_, "callback dropped");
  } catch (const jumpcut::ExceptionGroup& group) {
    world_.note(&self_, "group", group.leaves().size());
    for (const auto& error : group.leaves()) {
      world_.check(is_boom(error), &self_, "a group of something else");
    }
  } catch (const std::exception& error) {
    world_.fail(&self_, std::string("throws ") + error.what());
  }
}

void Steps::one() {
  using Step = void (Steps::*)();
  static constexpr Step steps[] = {
      &Steps::sleep,     &Steps::sleep,        &Steps::sleep,          &Steps::cancel,
      &Steps::cancel,    &Steps::await_task,   &Steps::await_task,     &Steps::future,
      &Steps::future,    &Steps::future,       &Steps::gather,         &Steps::wait,
      &Steps::group,     &Steps::as_completed, &Steps::shield,         &Steps::timeout,
      &Steps::timeout,   &Steps::wait_for,     &Steps::move_on,        &Steps::move_on,
      &Steps::callbacks, &Steps::callbacks,    &Steps::await_callback, &Steps::await_callback,
      &Steps::context,   &Steps::generator,    &Steps::lock,           &Steps::lock,
      &Steps::semaphore, &Steps::semaphore,    &Steps::event,          &Steps::event,
      &Steps::condition, &Steps::condition,    &Steps::barrier,        &Steps::queue,
      &Steps::queue,     &Steps::queue,        &Steps::channel,        &Steps::channel,
      &Steps::channel,   &Steps::select,       &Steps::select,
  };
  if (world_.actors.size() < most_tasks && depth_ < 4 && world_.random.one_in(8)) {
    spawn();
    return;
  }
  (this->*steps[world_.random.below(std::size(steps))])();
}

std::vector<Actor*> Steps::younger(std::size_t most) {
  std::vector<Actor*> found;
  // A task that waits in a condition can't be cancelled before it has got the lock back.
  if (self_.conditions > 0) return found;
  if (world_.actors.size() < most_tasks && depth_ < 4 && world_.random.one_in(2)) {
    found.push_back(&spawn());
  }
  const std::size_t count = world_.actors.size() - self_.number - 1;
  for (std::size_t i = 0; i < most && count > 0; ++i) {
    Actor& actor = *world_.actors[self_.number + 1 + world_.random.below(count)];
    if (actor.task && std::find(found.begin(), found.end(), &actor) == found.end()) {
      found.push_back(&actor);
    }
  }
  return found;
}

jumpcut::Future<int> Steps::handle(const Actor& actor) const {
  return jumpcut::Future<int>(actor.task.ref());
}

Outcome simulate(std::uint64_t seed, const Options& options) {
  Outcome outcome;
  const std::ptrdiff_t live = Live::count;
  {
    World world(seed, options.talkative);
    world.steps = 60 + world.random.below(140);
    Actor& main = world.add_actor(0);
    const bool dropped_early = world.random.one_in(2);
    jumpcut::RunOptions run;
    run.clock = &world.clock;
    run.handle_sigint = false;
    world.shuffled = !world.random.one_in(8);
    if (world.shuffled) run.seed = seed;
    run.loop.watchdog = false;
    run.loop.eager = world.random.one_in(8);
    run.debug = false;
    run.loop.stacks.stack_size = 64 * 1024;
    try {
      jumpcut::run(
          [&] {
            jumpcut::get_running_loop().set_exception_handler(
                [&](const jumpcut::ErrorContext& context) {
                  world.note(nullptr, "exception handler");
                  if (!is_boom(context.exception)) world.fail(nullptr, context.describe());
                });
            if (options.sabotage) {
              for (const auto delay : {5ms, 10ms, 20ms, 40ms}) {
                world.deadlines.insert(world.now() + delay);
                jumpcut::get_running_loop().call_later(delay, [&] {
                  if (!world.queues[0].fifo.empty()) world.queues[0].fifo.get_nowait();
                });
              }
            }
            main_task(world, main);
            main.ended = true;
            if (dropped_early) world.futures.clear();
          },
          run);
    } catch (const Cancelled&) {
      world.check(main.requests > 0, &main, "cancelled by nobody");
    } catch (const std::exception& error) {
      world.fail(nullptr, std::string("run() throws ") + error.what());
    }
    world.after_end();
    outcome.tasks = world.actors.size();
    outcome.hash = world.hash;
    outcome.looks = world.looks;
    outcome.failure = world.failure;
  }
  if (outcome.failure.empty() && Live::count != live) {
    outcome.failure = std::to_string(Live::count - live) + " objects are left over";
  }
  Live::count = live;
  return outcome;
}

}  // namespace simulation
