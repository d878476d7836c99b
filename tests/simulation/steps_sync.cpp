// Steps with locks, queues and channels.

#include "program.hpp"

#include <algorithm>

namespace simulation {

namespace {

/// In a queue of waits, from when the wait begins until it ends.
class Queued {
 public:
  Queued(std::deque<Wait*>& queue, Wait& wait) : queue_(queue), wait_(wait) {
    queue.push_back(&wait);
  }
  Queued(const Queued&) = delete;
  Queued& operator=(const Queued&) = delete;
  ~Queued() { queue_.erase(std::find(queue_.begin(), queue_.end(), &wait_)); }

  /// Those who came before have gone, or are about to.
  bool is_first(const World& world) const {
    for (const Wait* other : queue_) {
      if (other == &wait_) return true;
      if (!world.may_be_cancelled(*other)) return false;
    }
    return false;
  }

 private:
  std::deque<Wait*>& queue_;
  Wait& wait_;
};

template <class Models>
auto& pick(World& world, Models& models) {
  return models[world.random.below(models.size())];
}

}  // namespace

void Steps::hold(LockModel& model) {
  struct Held {
    LockModel& model;
    ~Held() {
      model.holder = nullptr;
      model.lock.unlock();
    }
  };
  world_.check(model.holder == nullptr, &self_, "two tasks hold one lock");
  model.holder = &self_;
  const Held held{model};
  some(3);
  world_.check(model.holder == &self_ && model.lock.locked(), &self_, "a lock was taken away");
}

void Steps::lock() {
  LockModel& model = pick(world_, world_.locks);
  if (model.holder == &self_) return;
  if (world_.random.one_in(4)) {
    if (model.lock.try_lock()) hold(model);
    return;
  }
  Wait wait{"lock", Answer::at_once, [&] { return model.holder != nullptr; }, false, &self_};
  bool locked = false;
  try {
    world_.wait(self_, wait, [&] {
      const Queued queued(model.queue, wait);
      model.lock.lock();
      locked = true;
      world_.check(queued.is_first(world_), &self_, "got a lock out of turn");
    });
  } catch (...) {
    world_.check(!locked, &self_, "cancelled with a lock");
    throw;
  }
  hold(model);
}

void Steps::semaphore() {
  SemaphoreModel& model = pick(world_, world_.semaphores);
  if (world_.random.one_in(4)) {
    if (!model.semaphore.try_acquire()) return;
  } else {
    Wait wait{"semaphore", Answer::at_once, [&] { return model.free == 0; }, false, &self_};
    world_.wait(self_, wait, [&] {
      const Queued queued(model.queue, wait);
      model.semaphore.acquire();
      // Two who are given one each at once go on in whatever order.
      world_.check(world_.shuffled || queued.is_first(world_), &self_, "got a permit out of turn");
    });
  }
  world_.check(--model.free >= 0, &self_, "more permits than there are");
  struct Held {
    SemaphoreModel& model;
    ~Held() {
      ++model.free;
      model.semaphore.release();
    }
  } const held{model};
  some(3);
}

void Steps::event() {
  EventModel& model = pick(world_, world_.events);
  switch (world_.random.below(4)) {
    case 0:
      model.event.clear();
      return;
    case 1:
      if (!model.event.is_set()) ++model.times_set;
      model.event.set();
      if (world_.random.one_in(2)) model.event.clear();
      return;
    default:
      break;
  }
  const int before = model.event.is_set() ? -1 : model.times_set;
  world_.wait(
      self_, "event", Answer::at_once, [&] { return model.times_set == before; },
      [&] {
        model.event.wait();
        world_.check(model.times_set != before, &self_, "an event that nobody set");
      });
}

void Steps::wait_in(ConditionModel& model) {
  Wait wait{"condition", Answer::in_time, nullptr, false, &self_};
  ConditionModel::Waiter waiter{&wait, false};
  wait.must_wait = [&] { return model.holder != nullptr || !waiter.told || !model.exact; };
  model.waiters.push_back(&waiter);
  model.holder = nullptr;
  struct Left {
    ~Left() {
      std::erase(model.waiters, &waiter);
      model.holder = &self;
    }
    ConditionModel& model;
    ConditionModel::Waiter& waiter;
    Actor& self;
  } const left{model, waiter, self_};
  try {
    world_.wait(self_, wait, [&] {
      model.condition.wait();
      world_.check(model.holder == nullptr, &self_, "two tasks hold a condition's lock");
      world_.check(waiter.told || !model.exact, &self_, "nobody told it");
    });
  } catch (const jumpcut::Cancelled&) {
    model.exact = false;  // another is woken for nothing
    world_.check(model.holder == nullptr, &self_, "two tasks hold a condition's lock");
    throw;
  }
}

void Steps::tell(ConditionModel& model) {
  std::size_t count = world_.random.below(3);
  if (world_.random.one_in(4)) {
    model.condition.notify_all();
    count = model.waiters.size();
  } else {
    model.condition.notify(count);
  }
  for (ConditionModel::Waiter* waiter : model.waiters) {
    if (world_.may_be_cancelled(*waiter->wait)) model.exact = false;
    if (count == 0 || waiter->told) continue;
    waiter->told = true;
    --count;
  }
}

void Steps::condition() {
  ConditionModel& model = pick(world_, world_.conditions);
  if (model.holder == &self_) return;
  world_.wait(
      self_, "condition's lock", Answer::at_once, [&] { return model.holder != nullptr; },
      [&] { model.condition.lock(); });
  world_.check(model.holder == nullptr, &self_, "two tasks hold a condition's lock");
  model.holder = &self_;
  struct Held {
    Held(ConditionModel& of, Actor& actor) noexcept : model(of), self(actor) { ++self.conditions; }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      --self.conditions;
      model.holder = nullptr;
      model.condition.unlock();
    }
    ConditionModel& model;
    Actor& self;
  } const held{model, self_};
  if (world_.random.one_in(2)) wait_in(model);
  if (world_.random.one_in(2)) some(2);
  world_.check(model.holder == &self_, &self_, "a condition's lock was taken away");
  if (world_.random.one_in(2)) tell(model);
}

void Steps::barrier() {
  BarrierModel& model = pick(world_, world_.barriers);
  jumpcut::Barrier& barrier = model.barrier;
  const auto parties = barrier.parties();
  const auto in_between = [&] { return barrier.n_waiting() < parties && !barrier.broken(); };
  if (world_.random.one_in(8)) {
    const bool reset = barrier.broken() || world_.random.one_in(2);
    world_.wait(
        self_, reset ? "barrier's reset" : "barrier's abort", Answer::in_time, [] { return false; },
        [&] { reset ? barrier.reset() : barrier.abort(); });
    return;
  }
  ++model.arrivals;
  world_.wait(self_, "barrier", Answer::in_time, in_between, [&] {
    const std::size_t index = barrier.wait();
    ++model.passages;
    world_.check(index < parties, &self_, "more parties than a barrier has");
    world_.check(model.passages <= model.arrivals, &self_, "more went than came");
    world_.check(static_cast<std::size_t>(model.arrivals) >= parties, &self_,
                 "a barrier opened too early");
  });
}

QueueModel::QueueModel(Kind kind_of, int maxsize)
    : kind(kind_of), fifo(maxsize), lifo(maxsize), priority(maxsize), base(&fifo) {
  if (kind == Kind::lifo) base = &lifo;
  if (kind == Kind::priority) base = &priority;
}

std::size_t QueueModel::size() const {
  return base->qsize();
}

Item Steps::make_item() {
  return {static_cast<int>(world_.random.below(3)), self_.values_sent++, self_.number};
}

void Steps::queue() {
  QueueModel& model = pick(world_, world_.queues);
  const auto with = [&](auto function) {
    switch (model.kind) {
      case QueueModel::Kind::fifo:
        return function(model.fifo);
      case QueueModel::Kind::lifo:
        return function(model.lifo);
      case QueueModel::Kind::priority:
        return function(model.priority);
    }
  };
  const bool now = world_.random.one_in(4);
  const auto put = [&](auto& queue) {
    const Item item = make_item();
    if (now) {
      if (queue.full() || queue.is_shutdown()) return;
      queue.put_nowait(item);
    } else {
      world_.wait(
          self_, "put", Answer::at_once, [&] { return queue.full() && !queue.is_shutdown(); },
          [&] { queue.put(item); });
    }
    world_.check(!queue.is_shutdown(), &self_, "put into a queue that is shut down");
    model.items.push_back(item);
    ++model.unfinished;
  };
  const auto get = [&](auto& queue) {
    std::optional<Item> item;
    if (now) {
      if (queue.empty()) return;
      item = queue.get_nowait();
    } else {
      world_.wait(
          self_, "get", Answer::at_once, [&] { return queue.empty() && !queue.is_shutdown(); },
          [&] { item = queue.get(); });
    }
    auto expected = model.items.begin();
    if (model.items.empty()) return world_.fail(&self_, "an item from an empty queue");
    if (model.kind == QueueModel::Kind::lifo) expected = model.items.end() - 1;
    if (model.kind == QueueModel::Kind::priority) {
      expected = std::min_element(model.items.begin(), model.items.end());
    }
    world_.check(expected->number == item->number && expected->sender == item->sender, &self_,
                 "the wrong item");
    model.items.erase(expected);
    if (world_.random.one_in(4)) return;
    --model.unfinished;
    queue.task_done();
  };
  switch (world_.random.below(9)) {
    case 0:
      if (model.unfinished > static_cast<int>(model.items.size())) {
        --model.unfinished;
        model.base->task_done();
      }
      return;
    case 1:
      return world_.wait(
          self_, "join", Answer::at_once, [&] { return model.unfinished > 0; },
          [&] {
            // It was empty at some time since; whether it still is depends on whose turn came.
            model.base->join();
          });
    case 2:
      if (!world_.random.one_in(10)) return with(put);
      return with([&](auto& queue) {
        const bool immediate = world_.random.one_in(2);
        queue.shutdown(immediate);
        if (!immediate) return;
        model.unfinished -= static_cast<int>(model.items.size());
        model.items.clear();
      });
    case 3:
    case 4:
    case 5:
      return with(put);
    default:
      return with(get);
  }
}

void Steps::received(ChannelModel& model, const Item& item) {
  ++model.received;
  world_.check(model.seen.emplace(item.sender, item.number).second, &self_, "a value came twice");
  if (model.last.size() <= self_.number) model.last.resize(self_.number + 1);
  auto& last = model.last[self_.number];
  if (last.size() <= item.sender) last.resize(item.sender + 1, -1);
  world_.check(last[item.sender] < item.number, &self_, "a value overtook another");
  last[item.sender] = item.number;
}

void Steps::channel() {
  ChannelModel& model = pick(world_, world_.channels);
  auto& channel = model.channel;
  const auto nothing_to_take = [&] {
    return channel.empty() && channel.waiting_senders() == 0 && !channel.is_closed();
  };
  switch (world_.random.below(10)) {
    case 0:
      if (world_.random.one_in(12)) channel.close();
      return;
    case 1:
      if (auto item = channel.try_receive()) received(model, *item);
      return;
    case 2:
      if (!channel.is_closed() && channel.try_send(make_item())) ++model.sent;
      return;
    case 3:
    case 4:
    case 5:
    case 6:
      return world_.wait(
          self_, "send", Answer::committed,
          [&] {
            return channel.size() >= channel.capacity() && channel.waiting_receivers() == 0 &&
                   !channel.is_closed();
          },
          [&] {
            channel.send(make_item());
            ++model.sent;
          });
    default:
      return world_.wait(self_, "receive", Answer::at_once, nothing_to_take, [&] {
        if (world_.random.one_in(2)) {
          received(model, channel.receive());
        } else if (const auto item = channel.next()) {
          received(model, *item);
        } else {
          world_.check(channel.is_closed(), &self_, "no value from a channel that is open");
        }
      });
  }
}

void Steps::select() {
  using jumpcut::on_done, jumpcut::on_next, jumpcut::on_send;
  const std::size_t which = world_.random.below(2);
  ChannelModel& from = world_.channels[which];
  ChannelModel& to = world_.channels[1 - which];
  const jumpcut::Future<int> future =
      world_.futures.empty() ? jumpcut::Future<int>() : pick(world_, world_.futures).future;
  const auto delay = world_.random.delay(5) + 1ms;
  const TimePoint until = world_.now() + delay;
  const Item item = make_item();
  const auto take = [&](std::optional<Item> value) {
    if (value.has_value()) return received(from, *value);
    world_.check(from.channel.is_closed(), &self_, "no value from a channel that is open");
  };
  const auto sent = [&] { ++to.sent; };
  if (world_.random.one_in(4)) {
    jumpcut::select(on_next(from.channel, take), jumpcut::otherwise([] {}));
    return;
  }
  const Armed armed(world_, until);
  world_.wait(
      self_, "select", Answer::committed,
      [&] {
        return from.channel.empty() && from.channel.waiting_senders() == 0 &&
               !from.channel.is_closed() && to.channel.size() >= to.channel.capacity() &&
               to.channel.waiting_receivers() == 0 && !to.channel.is_closed() && !future.done() &&
               world_.now() < until;
      },
      [&] {
        jumpcut::select(on_next(from.channel, take), on_send(to.channel, item, sent),
                        on_done(future, [] {}), jumpcut::after(delay, [&] {
                          world_.check(world_.now() == until, &self_, "a late select");
                        }));
      });
}

}  // namespace simulation
