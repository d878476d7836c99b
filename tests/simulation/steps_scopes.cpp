// Steps with time limits, callbacks, generators and context variables.

#include "program.hpp"

#include <algorithm>

namespace simulation {

namespace {

/// The task is in this scope.
class Inside {
 public:
  Inside(Actor& self, Scope& scope) : self_(self) { self.scopes.push_back(&scope); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { self_.scopes.pop_back(); }

 private:
  Actor& self_;
};

}  // namespace

void Steps::timeout() {
  const TimePoint deadline = world_.now() + world_.random.delay(6);
  jumpcut::Timeout timeout(deadline);
  Scope scope{deadline, &timeout};
  scope.armed.emplace(world_, deadline);
  const Inside inside(self_, scope);
  jumpcut::timeout(timeout, [&] { some(3); });
}

void Steps::wait_for() {
  const auto delay = world_.random.delay(6);
  const TimePoint deadline = world_.now() + delay;
  const auto actors = younger(1);
  if (actors.empty()) return;
  Actor& actor = *actors[0];
  actor.followed = true;
  const Armed armed(world_, actor.task.done() ? world_.now() : deadline);
  Scope scope{deadline};
  const Inside inside(self_, scope);
  world_.wait(
      self_, "wait_for", Answer::passed_on, [&] { return !actor.task.done(); },
      [&] {
        const int value = jumpcut::wait_for(handle(actor), delay);
        world_.check(value == static_cast<int>(actor.number), &self_, "waited for another's value");
      });
}

void Steps::move_on() {
  const TimePoint deadline =
      world_.random.one_in(3) ? TimePoint::max() : world_.now() + world_.random.delay(6);
  jumpcut::CancelScope cancel_scope(deadline == TimePoint::max()
                                        ? std::optional<TimePoint>()
                                        : std::optional<TimePoint>(deadline));
  if (world_.random.one_in(4)) cancel_scope.set_shield(true);
  auto& open = world_.open_scopes;
  if (!open.empty() && world_.random.one_in(2)) {
    Scope& other = *open[world_.random.below(open.size())];
    other.cancel_scope->cancel();
    other.armed.reset();
  }
  Scope scope{deadline, nullptr, &cancel_scope};
  if (deadline != TimePoint::max()) scope.armed.emplace(world_, deadline);
  struct Open {
    Open(World& of, Scope& one) : world(of), scope(one) { world.open_scopes.push_back(&scope); }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    ~Open() { std::erase(world.open_scopes, &scope); }
    World& world;
    Scope& scope;
  } const opened(world_, scope);
  bool completed = false;
  {
    const Inside inside(self_, scope);
    completed = jumpcut::cancel_scope(cancel_scope, [&] { some(3); });
  }
  world_.note(&self_, "scope", completed);
  world_.check(completed != cancel_scope.cancelled_caught(), &self_, "a scope contradicts itself");
  world_.check(completed || cancel_scope.cancel_called(), &self_, "a scope caught another's");
}

void Steps::callbacks() {
  jumpcut::Loop& loop = jumpcut::get_running_loop();
  struct Call {
    Call(World& owner, int value) : world(owner), variable(value) {}

    World& world;
    int variable;
    bool called = false;
    std::optional<Armed> armed = {};
    Live live = {};
    void operator()(TimePoint when) {
      world.note(nullptr, "callback");
      world.check(!called, nullptr, "a callback called twice");
      world.check(world.now() >= when, nullptr, "a callback called too early");
      world.check(simulation::variable.get() == variable, nullptr, "a callback in another context");
      called = true;
    }
  };
  const auto call = std::make_shared<Call>(world_, self_.variable);
  const TimePoint now = world_.now();
  if (world_.random.one_in(2)) {
    ++world_.calls_ready;
    const auto function = [call, now] {
      --call->world.calls_ready;
      (*call)(now);
    };
    if (world_.random.one_in(3)) {
      loop.call_soon_threadsafe(function);
      return;
    }
    const jumpcut::Handle handle = loop.call_soon(function);
    if (!world_.random.one_in(3)) return;
    --world_.calls_ready;
    call->called = true;
    handle.cancel();
    return;
  }
  const TimePoint when = now + world_.random.delay(6) - 1ms;
  call->armed.emplace(world_, when);
  const jumpcut::TimerHandle handle = loop.call_at(when, [call, when] { (*call)(when); });
  if (!world_.random.one_in(3)) return;
  call->called = true;
  call->armed.reset();
  handle.cancel();
}

void Steps::await_callback() {
  jumpcut::Loop& loop = jumpcut::get_running_loop();
  enum How { inside, soon, later, twice, dropped, failed, never, ways };
  const auto how = static_cast<How>(world_.random.below(ways));
  const auto delay = world_.random.delay(5) + 1ms;
  struct Kept {
    std::optional<jumpcut::Done<int>> done = {};
    std::optional<Armed> armed = {};
    bool called = false;
  };
  const auto kept = std::make_shared<Kept>();
  jumpcut::CallbackOptions<int> options;
  std::optional<Armed> armed;
  TimePoint until = TimePoint::max();
  if (how == never || world_.random.one_in(3)) {
    const auto timeout = world_.random.delay(5) + 1ms;
    options.timeout = timeout;
    until = world_.now() + timeout;
  }
  const int wanted = ++world_.next_number;
  const auto start = [&](jumpcut::Done<int> done) {
    if (how == inside) return done(wanted);
    if (how == failed) {
      loop.call_soon([done] { done.fail(Boom()); });
    } else if (how == dropped) {
      loop.call_soon([done] {});
    } else if (how == later) {
      kept->armed.emplace(world_, world_.now() + delay);
      loop.call_later(delay, [done, kept, wanted] {
        kept->called = true;
        done(wanted);
      });
    } else if (how == never) {
      kept->done.emplace(done);
    } else {
      loop.call_soon([done, wanted, how] {
        done(wanted);
        if (how == twice) done(wanted);
      });
    }
    if (until != TimePoint::max()) armed.emplace(world_, until);
  };
  world_.wait(
      self_, "await_callback", Answer::committed,
      [&] { return (how == later || how == never) && !kept->called && world_.now() < until; },
      [&] {
        const int value = jumpcut::await_callback<int>(start, options);
        world_.check(value == wanted, &self_, "another callback's value");
      });
}

void Steps::context() {
  const auto before = variable.set(++world_.next_number);
  if (world_.random.one_in(2)) {
    self_.variable = variable.get();
  } else {
    variable.reset(before);
  }
  world_.check(variable.get() == self_.variable, &self_, "a context variable forgets");
  const int seen = jumpcut::copy_context().run([] {
    variable.set(-2);
    return variable.get();
  });
  world_.check(seen == -2 && variable.get() == self_.variable, &self_, "a copied context leaks");
}

void Steps::generator() {
  const int count = static_cast<int>(world_.random.below(5));
  jumpcut::Generator<int> numbers([this, count](jumpcut::Yield<int>& yield) {
    const Live live;
    for (int i = 0; i < count; ++i) {
      if (world_.random.one_in(2)) sleep();
      world_.check(variable.get() == self_.variable, &self_, "a generator in another context");
      yield(i);
    }
  });
  const int wanted = static_cast<int>(world_.random.below(7));
  for (int i = 0; i < wanted; ++i) {
    const std::optional<int> value = numbers.next();
    world_.check(value.has_value() == (i < count) && value.value_or(i) == i, &self_,
                 "a generator's values are wrong");
    world_.check(jumpcut::current_task() == jumpcut::AnyFuture(self_.task.ref()), &self_,
                 "is somebody else after a generator");
    if (world_.random.one_in(4)) one();
  }
  if (world_.random.one_in(2)) numbers.close();
}

}  // namespace simulation
