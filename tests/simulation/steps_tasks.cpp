// Steps with tasks and futures.

#include "program.hpp"

#include <algorithm>
#include <array>

namespace simulation {

namespace {

bool is_done(const Actor* actor) {
  return actor->task.done();
}

}  // namespace

void Steps::sleep() {
  const auto delay = world_.random.one_in(3) ? 0ms : world_.random.delay(5);
  const TimePoint until = world_.now() + delay;
  const Armed armed(world_, until);
  world_.wait(
      self_, "sleep", Answer::at_once, [&] { return world_.now() < until; },
      [&] {
        if (world_.random.one_in(4)) {
          jumpcut::sleep_until(until);
        } else if (delay == 0ms && world_.random.one_in(2)) {
          jumpcut::checkpoint();
        } else {
          jumpcut::sleep(delay);
        }
        world_.check(world_.now() == until, &self_, "woke at the wrong time");
      });
}

void Steps::cancel() {
  Actor& actor = *world_.actors[world_.random.below(world_.actors.size())];
  if (actor.number == 0) return;
  world_.cancel(actor);
}

void Steps::await_task() {
  for (Actor* actor : younger(1)) {
    actor->followed = true;
    world_.wait(
        self_, "await of a task", Answer::passed_on, [&] { return !is_done(actor); },
        [&] {
          const int value = jumpcut::await(handle(*actor));
          world_.check(value == static_cast<int>(actor->number), &self_, "another task's value");
        });
  }
}

void Steps::future() {
  auto& futures = world_.futures;
  if (futures.size() < 4 || world_.random.one_in(4)) {
    futures.push_back({jumpcut::Future<int>(), 0});
    if (futures.size() > 8) {
      if (!futures.front().future.done()) futures.front().future.cancel();
      futures.erase(futures.begin());
    }
  }
  const FutureModel model = futures[world_.random.below(futures.size())];
  const auto& future = model.future;
  switch (world_.random.below(6)) {
    case 0:
      if (future.done()) return;
      for (FutureModel& one : futures) {
        if (one.future == future) one.value = ++world_.next_number;
        if (one.future == future) future.set_result(one.value);
      }
      return;
    case 1:
      if (!future.done()) future.set_exception(Boom());
      return;
    case 2:
      future.cancel();
      return;
    case 3: {
      struct Once {
        World& world;
        bool called = false;
        Live live = {};
      };
      const auto once = std::make_shared<Once>(Once{world_});
      const int value = self_.variable;
      future.add_done_callback([once, value](const jumpcut::Future<int>& done) {
        World& world = once->world;
        world.note(nullptr, "done-callback");
        world.check(done.done() && !once->called, nullptr, "a done-callback called wrongly");
        world.check(variable.get() == value, nullptr, "a done-callback in another context");
        once->called = true;
      });
      return;
    }
    default:
      break;
  }
  try {
    world_.wait(
        self_, "await of a future", Answer::at_once, [&] { return !future.done(); },
        [&] {
          bool cancelled_itself = false;
          try {
            const int value = jumpcut::await(future);
            const auto found =
                std::find_if(futures.begin(), futures.end(),
                             [&](const FutureModel& one) { return one.future == future; });
            world_.check(found == futures.end() || found->value == value, &self_,
                         "another future's value");
          } catch (const jumpcut::Cancelled&) {
            // Its own cancellation is no concern of ours.
            const Wait& wait = *self_.waits.back();
            cancelled_itself = !wait.cancel_requested && !world_.may_be_cancelled(wait);
            world_.check(!cancelled_itself || future.cancelled(), &self_, "cancelled by nobody");
            if (!cancelled_itself) throw;
          }
        });
  } catch (const Boom&) {
    world_.note(&self_, "the future's error");
  }
}

void Steps::gather() {
  const auto actors = younger(3);
  std::vector<jumpcut::Future<int>> handles;
  for (Actor* actor : actors) {
    actor->followed = true;
    handles.push_back(handle(*actor));
  }
  if (handles.empty()) return;
  const bool each = world_.random.one_in(2);
  world_.wait(
      self_, each ? "gather_results" : "gather", Answer::passed_on,
      [&] {
        const bool all = std::all_of(actors.begin(), actors.end(), is_done);
        if (each || all) return !all;
        return std::none_of(handles.begin(), handles.end(), [](const auto& handle) {
          return handle.done() && (handle.cancelled() || handle.exception() != nullptr);
        });
      },
      [&] {
        if (each) {
          const auto results = jumpcut::gather_results(handles);
          for (std::size_t i = 0; i < results.size(); ++i) {
            world_.check(handles[i].done(), &self_, "gathered before the end");
            if (!results[i].has_value()) continue;
            world_.check(results[i].value() == static_cast<int>(actors[i]->number), &self_,
                         "gathered another's value");
          }
        } else {
          const auto values = jumpcut::gather(handles);
          for (std::size_t i = 0; i < values.size(); ++i) {
            world_.check(values[i] == static_cast<int>(actors[i]->number), &self_,
                         "gathered another's value");
          }
        }
      });
}

void Steps::wait() {
  const auto actors = younger(3);
  if (actors.empty()) return;
  std::vector<jumpcut::AnyFuture> handles;
  for (Actor* actor : actors) handles.push_back(actor->task);
  const bool first = world_.random.one_in(2);
  std::optional<Armed> armed;
  jumpcut::WaitOptions options;
  TimePoint until = TimePoint::max();
  if (world_.random.one_in(2)) {
    const auto delay = world_.random.delay(5);
    options.timeout = delay;
    until = world_.now() + delay;
  }
  const auto count = [&] { return std::count_if(actors.begin(), actors.end(), is_done); };
  const auto all = static_cast<std::ptrdiff_t>(actors.size());
  if (first) options.return_when = jumpcut::ReturnWhen::first_completed;
  if (until != TimePoint::max() && count() < (first ? 1 : all)) armed.emplace(world_, until);
  world_.wait(
      self_, "wait", Answer::at_once,
      [&] { return count() < (first ? 1 : all) && world_.now() < until; },
      [&] {
        const auto result = jumpcut::wait(handles, options);
        world_.check(static_cast<std::ptrdiff_t>(result.done.size()) == count(), &self_,
                     "wait counts wrongly");
        world_.check(count() >= (first ? 1 : all) || world_.now() >= until, &self_,
                     "wait returned too early");
      });
}

void Steps::as_completed() {
  const auto actors = younger(3);
  if (actors.empty()) return;
  std::vector<jumpcut::Future<int>> handles;
  for (Actor* actor : actors) handles.push_back(handle(*actor));
  std::ptrdiff_t taken = 0;
  const auto count = [&] { return std::count_if(actors.begin(), actors.end(), is_done); };
  world_.wait(
      self_, "as_completed", Answer::at_once, [&] { return count() <= taken; },
      [&] {
        for (const auto& task : jumpcut::as_completed(handles).tasks()) {
          world_.check(task.done(), &self_, "completed before its end");
          ++taken;
        }
        world_.check(taken == static_cast<std::ptrdiff_t>(actors.size()), &self_,
                     "as_completed left some out");
      });
}

void Steps::shield() {
  for (Actor* actor : younger(1)) {
    bool cancelled = false;
    world_.wait(
        self_, "shield", Answer::at_once, [&] { return !is_done(actor); },
        [&] {
          try {
            jumpcut::shield(handle(*actor));
          } catch (const jumpcut::Cancelled&) {
            const Wait& wait = *self_.waits.back();
            cancelled = !wait.cancel_requested && !world_.may_be_cancelled(wait);
            world_.check(!cancelled || actor->task.cancelled(), &self_, "cancelled by nobody");
            if (!cancelled) throw;
          }
        });
  }
}

void Steps::group() {
  if (world_.actors.size() >= 40 || depth_ >= 4 || self_.conditions > 0) return;
  jumpcut::TaskGroup group;
  std::vector<Actor*> members;
  struct Inside {
    explicit Inside(Actor& actor) noexcept : self(actor) { ++self.groups; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { --self.groups; }
    Actor& self;
  };
  const auto check_over = [&] {
    for (const Actor* member : members) {
      world_.check(!member->task || member->task.done(), &self_, "a task outlived its group");
    }
  };
  try {
    const Inside inside(self_);
    world_.wait(
        self_, "task_group", Answer::passed_on, [&] { return group.size() > 0; },
        [&] {
          jumpcut::task_group(group, [&] {
            for (std::size_t i = world_.random.below(4); i > 0; --i) {
              Actor& child = world_.add_actor(self_.variable);
              child.followed = true;
              members.push_back(&child);
              child.task = group.create_task(Body(world_, child, depth_ + 1));
            }
            some(2);
            if (world_.random.one_in(6)) group.cancel();
            if (world_.random.one_in(6)) throw Boom();
          });
        });
  } catch (...) {
    check_over();
    throw;
  }
  check_over();
}

}  // namespace simulation
