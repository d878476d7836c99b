// What can't be done with locks, queues, channels and generators is refused by name.

#include "misuse.hpp"

#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "child.hpp"

using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::Loop, jumpcut::Task;
using jumpcut::Channel, jumpcut::Queue, jumpcut::Yield;
using jumpcut::sleep, jumpcut::RuntimeError, jumpcut::ValueError, jumpcut::Generator;

namespace {

const auto& runtime_error = typeid(RuntimeError);
const auto& value_error = typeid(ValueError);

/// Has a task of another thread's loop wait by wait(), while function() is called here.
template <class Wait, class Call>
void while_another_loop(Wait wait, Call function) {
  std::promise<void> waits;
  std::promise<void> done;
  std::exception_ptr error;
  std::thread other([&] {
    on_loop([&] {
      const auto task = create_task(wait);
      ticks();
      waits.set_value();
      jumpcut::to_thread([&] { done.get_future().wait(); });
      task.cancel();
    });
  });
  waits.get_future().wait();
  try {
    function();
  } catch (...) {
    error = std::current_exception();
  }
  done.set_value();
  other.join();
  if (error != nullptr) std::rethrow_exception(error);
}

const Misuse locks[] = {
    {"a lock that is not locked is unlocked",
     [] { jumpcut::Lock().unlock(); },
     &runtime_error,
     {"Lock.unlock: it is not locked"}},
    {"a lock is locked twice by one task",
     [] {
       on_thread([] {
         on_loop([] {
           jumpcut::Lock lock;
           lock.lock();
           lock.lock();
         });
       });
     },
     &typeid(jumpcut::Deadlock),
     {"deadlock", "task 'Task-1' waits for Lock.lock()"}},
    {"lock in a callback",
     [] {
       jumpcut::Lock lock;
       in_callback([&] { lock.lock(); });
     },
     &runtime_error,
     {"Lock.lock() outside a task"}},
    {"another loop's lock",
     [] {
       jumpcut::Lock lock;
       lock.lock();
       while_another_loop([&] { lock.lock(); }, [&] { lock.lock(); });
     },
     &runtime_error,
     {"Lock.lock(): it belongs to another loop", "make one for each loop"}},
    {"a lock is unlocked where others' tasks wait",
     [] {
       jumpcut::Lock lock;
       lock.lock();
       while_another_loop([&] { lock.lock(); }, [&] { lock.unlock(); });
     },
     &runtime_error,
     {"Lock.unlock: tasks of another thread's loop wait in", "call_soon_threadsafe"}},
    {"an event is set where others' tasks wait",
     [] {
       jumpcut::Event event;
       while_another_loop([&] { event.wait(); }, [&] { event.set(); });
     },
     &runtime_error,
     {"Event.set: tasks of another thread's loop wait in", "call_soon_threadsafe"}},
    {"a condition is waited for without its lock",
     [] { jumpcut::Condition().wait(); },
     &runtime_error,
     {"Condition.wait(): the lock is not locked; lock() it first"}},
    {"a condition is notified without its lock",
     [] { jumpcut::Condition().notify(); },
     &runtime_error,
     {"Condition.notify: the lock is not locked"}},
    {"a condition with a predicate of nothing",
     [] {
       jumpcut::Condition condition;
       const std::lock_guard hold(condition);
       condition.wait_for(std::function<bool()>());
     },
     &value_error,
     {"Condition.wait_for: the function is null"}},
    {"a semaphore of less than nothing",
     [] { jumpcut::Semaphore(-1); },
     &value_error,
     {"a semaphore begins with 0 permits or more, not with -1"}},
    {"a bounded semaphore is released too often",
     [] { jumpcut::BoundedSemaphore(2).release(); },
     &value_error,
     {"Semaphore.release: all 2 permits are back"}},
    {"a barrier for nobody",
     [] { jumpcut::Barrier(0); },
     &value_error,
     {"a barrier is for 1 party or more, not for 0"}},
    {"a barrier that was aborted",
     [] {
       jumpcut::Barrier barrier(2);
       barrier.abort();
       barrier.wait();
     },
     &typeid(jumpcut::BrokenBarrierError),
     {"Barrier.wait: the barrier was aborted; reset() mends it"}},
};

const Misuse queues[] = {
    {"put_nowait into a full queue",
     [] {
       Queue<int> queue(1);
       queue.put_nowait(1);
       queue.put_nowait(2);
     },
     &typeid(jumpcut::QueueFull),
     {"full"}},
    {"get_nowait of an empty queue",
     [] { Queue<int>().get_nowait(); },
     &typeid(jumpcut::QueueEmpty),
     {"empty"}},
    {"put into a queue that is shut down",
     [] {
       Queue<int> queue;
       queue.shutdown();
       queue.put(1);
     },
     &typeid(jumpcut::QueueShutDown),
     {"shut down"}},
    {"task_done too often",
     [] { Queue<int>().task_done(); },
     &value_error,
     {"Queue.task_done: called more often than items were put in", "once for each get()"}},
    {"another loop's queue",
     [] {
       Queue<int> queue;
       while_another_loop([&] { queue.get(); }, [&] { queue.get(); });
     },
     &runtime_error,
     {"Queue.get(): it belongs to another loop"}},
    {"put_nowait where others' tasks wait",
     [] {
       Queue<int> queue;
       while_another_loop([&] { queue.get(); }, [&] { queue.put_nowait(1); });
     },
     &runtime_error,
     {"tasks of another thread's loop wait in Queue.get()", "call_soon_threadsafe"}},
    {"get in a callback",
     [] {
       Queue<int> queue;
       in_callback([&] { queue.get(); });
     },
     &runtime_error,
     {"Queue.get() outside a task"}},
    {"send to a channel that is closed",
     [] {
       Channel<int> channel(1);
       channel.close();
       channel.send(1);
     },
     &typeid(jumpcut::ChannelClosed),
     {"Channel.send: the channel is closed"}},
    {"receive from a channel that is closed",
     [] {
       Channel<int> channel(1);
       channel.close();
       channel.receive();
     },
     &typeid(jumpcut::ChannelClosed),
     {"Channel.receive: the channel is closed"}},
    {"send where another loop's task receives",
     [] {
       Channel<int> channel;
       while_another_loop([&] { channel.receive(); }, [&] { channel.try_send(1); });
     },
     &runtime_error,
     {"belongs to another thread's loop"}},
    {"select on a closed channel",
     [] {
       Channel<int> channel;
       channel.close();
       jumpcut::select(jumpcut::on_receive(channel, [](int) {}));
     },
     &typeid(jumpcut::ChannelClosed),
     {"select: the channel is closed"}},
    {"select outside a task",
     [] {
       Channel<int> channel;
       in_callback([&] { jumpcut::select(jumpcut::on_receive(channel, [](int) {})); });
     },
     &runtime_error,
     {"select outside a task"}},
    {"a case with a function of nothing",
     [] {
       Channel<int> channel;
       jumpcut::select(jumpcut::on_receive(channel, std::function<void(int)>()));
     },
     &value_error,
     {"on_receive: the function is null"}},
    {"a case for a future of nothing",
     [] { jumpcut::select(jumpcut::on_done(Future<>(nullptr), [] {})); },
     &runtime_error,
     {"select: this handle refers to no future"}},
};

Generator<int> numbers() {
  return Generator<int>([](Yield<int>& yield) {
    for (int i = 0;; ++i) yield(i);
  });
}

const Misuse generators[] = {
    {"a generator of nothing",
     [] { Generator<int>(std::function<void(Yield<int>&)>()); },
     &value_error,
     {"Generator: the function is null"}},
    {"a generator asks itself",
     [] {
       std::optional<Generator<int>> self;
       self.emplace([&](Yield<int>&) { self->next(); });
       self->next();
     },
     &runtime_error,
     {"Generator.next: the generator runs already, for task 'Task-1'", "one task at a time"}},
    {"two tasks ask a generator",
     [] {
       Generator<int> slow([](Yield<int>& yield) {
         sleep(1s);
         yield(1);
       });
       const auto first = create_task([&] { slow.next(); }, {.name = "first"});
       ticks();
       struct Await {
         const Task<>& task;
         ~Await() { await(task); }
       } awaiting{first};
       slow.next();
     },
     &runtime_error,
     {"Generator.next: the generator runs already, for task 'first'"}},
    {"a generator is asked in a callback",
     [] {
       auto generator = numbers();
       in_callback([&] { generator.next(); });
     },
     &runtime_error,
     {"Generator.next outside a task"}},
    {"a generator that was moved from is asked",
     [] {
       auto generator = numbers();
       const auto to = std::move(generator);
       generator.next();  // NOLINT(*use-after-move)
     },
     &runtime_error,
     {"Generator.next: this generator was moved from"}},
    {"a generator that was moved from is closed",
     [] {
       auto generator = numbers();
       const auto to = std::move(generator);
       generator.close();  // NOLINT(*use-after-move)
     },
     &runtime_error,
     {"Generator.close: this generator was moved from"}},
    {"a generator that does not end",
     [] {
       Generator<int> stubborn([](Yield<int>& yield) {
         try {
           yield(1);
         } catch (const jumpcut::GeneratorExit&) {
         }
         yield(2);
       });
       stubborn.next();
       stubborn.close();
     },
     &runtime_error,
     {"Generator.close: the generator ignored GeneratorExit"}},
    {"yield outside its generator",
     [] {
       Generator<int> generator([](Yield<int>& yield) { await(create_task([&] { yield(1); })); });
       generator.next();
     },
     &runtime_error,
     {"yield outside its generator"}},
};

// Of the 60 cases of bad use that there have to be at least, these are here.
static_assert(std::size(locks) + std::size(queues) + std::size(generators) == 35);

}  // namespace

TEST_CASE("what a lock, condition, semaphore or barrier can't do is refused") {
  check_refused_in_tasks(locks);
}

TEST_CASE("what a queue or a channel can't do is refused") {
  check_refused_in_tasks(queues);
}

TEST_CASE("what a generator can't do is refused") {
  check_refused_in_tasks(generators);
}

TEST_CASE("what is destroyed while tasks wait in it ends the process, and says what it was") {
  CHECK_THAT(in_child([] {
               on_loop([] {
                 auto lock = std::make_unique<jumpcut::Lock>();
                 lock->lock();
                 const auto task = create_task([&] { lock->lock(); });
                 ticks();
                 lock.reset();
               });
             }).output,
             Catch::Contains("destroyed while 1 task waits in Lock.lock(): cancel and await"));
  CHECK_THAT(in_child([] {
               auto loop = std::make_unique<Loop>();
               loop->run_until_complete([&] { loop.reset(); });
             }).output,
             Catch::Contains("a Loop is destroyed that can't be closed"));
}
