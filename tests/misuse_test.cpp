// What can't be done with tasks, futures, loops and contexts is refused by name.
// misuse_sync_test.cpp has the rest.

#include "misuse.hpp"

#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::Loop, jumpcut::Task;
using jumpcut::ContextVar, jumpcut::VirtualClock;
using jumpcut::get_running_loop, jumpcut::sleep, jumpcut::run;
using jumpcut::InvalidStateError, jumpcut::RuntimeError, jumpcut::ValueError, jumpcut::Deadlock;

namespace {

const auto& runtime_error = typeid(RuntimeError);
const auto& value_error = typeid(ValueError);
const auto& invalid_state = typeid(InvalidStateError);

using Function = void (*)();
constexpr Function no_function = nullptr;

/// A future of a loop that is not the running one.
struct Foreign {
  Loop loop;
  Future<int> future = loop.create_future<int>();
};

ContextVar<int> number("number", 0);
ContextVar<int> other_number("other_number", 0);

const Misuse waits[] = {
    {"a task awaits itself",
     [] {
       Task<> self;
       self = create_task([&] { await(self); }, {.name = "narcissus"});
       await(self);
     },
     &runtime_error,
     {"await: task 'narcissus' can't await itself", "await it from another task"}},
    {"a future of another loop is awaited",
     [] {
       const Foreign foreign;
       await(foreign.future);
     },
     &runtime_error,
     {"await: task 'Task-1' can't await future of another loop", "run_coroutine_threadsafe"}},
    {"a task of another loop is awaited",
     [] {
       Loop other;
       auto task = other.create_task([] {}, {.name = "far"});
       await(task);
     },
     &runtime_error,
     {"await: task 'Task-1' can't await task 'far' of another loop"}},
    {"a future of a closed loop is awaited",
     [] {
       Future<> future(nullptr);
       {
         Loop other;
         future = other.create_future<>();
       }
       await(future);
     },
     &runtime_error,
     {"await: task 'Task-1' can't await future of another loop"}},
    {"await in a callback",
     [] {
       const Future<> future;
       in_callback([&] { await(future); });
     },
     &runtime_error,
     {"await outside a task", "callback of the loop", "wrap the caller in create_task"}},
    {"sleep in a callback",
     [] { in_callback([] { sleep(1s); }); },
     &runtime_error,
     {"sleep outside a task", "create_task"}},
    {"sleep(0) in a callback",
     [] { in_callback([] { sleep(0s); }); },
     &runtime_error,
     {"sleep outside a task", "create_task"}},
    {"await in a done-callback",
     [] {
       Future<> first;
       Future<> refused;
       first.add_done_callback([&] {
         try {
           await(Future<>());
         } catch (...) {
           refused.set_exception(std::current_exception());
         }
       });
       first.set_result();
       await(refused);
     },
     &runtime_error,
     {"await outside a task"}},
    {"await on the thread's own stack",
     [] { jumpcut::run_on_big_stack([] { sleep(1s); }); },
     &runtime_error,
     {"sleep outside a task"}},
    {"a handle that refers to nothing is awaited",
     [] { await(Future<>(nullptr)); },
     &runtime_error,
     {"await: this handle refers to no future or task"}},
    {"a task handle that refers to nothing is awaited",
     [] { await(Task<int>()); },
     &runtime_error,
     {"await: this handle refers to no future or task"}},
    {"a sleep that is not a number",
     [] { sleep(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())); },
     &value_error,
     {"not a number"}},
};

const Misuse futures[] = {
    {"set_result twice",
     [] {
       const Future<int> future;
       future.set_result(1);
       future.set_result(2);
     },
     &invalid_state,
     {"set_result: future is done already", "a future ends once", "done()"}},
    {"set_exception after cancel",
     [] {
       const Future<> future;
       future.cancel();
       future.set_exception(std::runtime_error("late"));
     },
     &invalid_state,
     {"set_exception: future is cancelled already"}},
    {"result() of a future that is not done",
     [] { static_cast<void>(Future<int>().result()); },
     &invalid_state,
     {"result: future is not done yet; await it"}},
    {"result() of a task that is not done",
     [] {
       const auto task = create_task([] { return 1; }, {.name = "slow"});
       static_cast<void>(task.result());
     },
     &invalid_state,
     {"result: task 'slow' is not done yet; await it"}},
    {"exception() of a future that is not done",
     [] { static_cast<void>(Future<int>().exception()); },
     &invalid_state,
     {"future is not done yet"}},
    {"set_exception with no exception",
     [] { Future<>().set_exception(std::exception_ptr()); },
     &value_error,
     {"set_exception: the exception is null"}},
    {"set_exception with Cancelled",
     [] {
       try {
         const Future<> victim;
         victim.cancel();
         victim.result();
       } catch (const jumpcut::Cancelled&) {
         Future<>().set_exception(std::current_exception());
       }
     },
     &runtime_error,
     {"set_exception", "can't fail with Cancelled; call cancel()"}},
    {"set_result of a task",
     [] {
       const auto task = create_task([] { return 1; }, {.name = "own"});
       task.set_result(2);
     },
     &runtime_error,
     {"set_result: task 'own' ends by itself"}},
    {"set_exception of a task",
     [] {
       const auto task = create_task([] {}, {.name = "own"});
       task.set_exception(std::runtime_error("no"));
     },
     &runtime_error,
     {"set_exception: task 'own' ends by itself"}},
    {"a value that can't be copied is asked for twice",
     [] {
       const auto task = create_task([] { return std::make_unique<int>(1); });
       await(task);
       await(task);
     },
     &invalid_state,
     {"moved to who asked first"}},
    {"add_done_callback of nothing",
     [] { Future<>().add_done_callback(std::function<void()>()); },
     &value_error,
     {"add_done_callback: the function is null"}},
    {"add_done_callback to a future of a closed loop",
     [] {
       Future<> future(nullptr);
       {
         Loop other;
         future = other.create_future<>();
       }
       future.add_done_callback([] {});
     },
     &runtime_error,
     {"add_done_callback: the loop of future is closed"}},
    {"cancel of a future of a closed loop",
     [] {
       Future<> future(nullptr);
       {
         Loop other;
         future = other.create_future<>();
       }
       future.cancel();
     },
     &runtime_error,
     {"cancel: future belongs to a loop that is closed"}},
    {"calls of a handle that refers to nothing",
     [] { static_cast<void>(jumpcut::AnyFuture().done()); },
     &runtime_error,
     {"done: this handle refers to no future"}},
    {"name of a task handle that refers to nothing",
     [] { static_cast<void>(jumpcut::AnyTask().name()); },
     &runtime_error,
     {"name: this handle refers to no future or task"}},
};

const Misuse tasks[] = {
    {"create_task of nothing",
     [] { create_task(no_function).detach(); },
     &value_error,
     {"create_task: the function is null"}},
    {"create_task of an empty std::function",
     [] { create_task(std::function<int()>()).detach(); },
     &value_error,
     {"create_task: the function is null"}},
    {"a stack of one byte",
     [] { create_task([] {}, {.stack_size = 1}).detach(); },
     &value_error,
     {"a stack_size of 1 bytes: at least"}},
    {"a stack as large as can be said",
     [] { create_task([] {}, {.stack_size = std::numeric_limits<std::size_t>::max()}).detach(); },
     &value_error,
     {"a stack_size of 18446744073709551615 bytes", "at most"}},
    {"run_on_big_stack of nothing",
     [] { jumpcut::run_on_big_stack(no_function); },
     &value_error,
     {"run_on_big_stack: the function is null"}},
    {"Context.run of nothing",
     [] { jumpcut::Context().run(no_function); },
     &value_error,
     {"Context.run: the function is null"}},
    {"tasks that await each other are cancelled",
     [] {
       Task<> one;
       Task<> two;
       one = create_task([&] { await(two); }, {.name = "one"});
       two = create_task([&] { await(one); }, {.name = "two"});
       ticks();
       struct Untie {  // or the loop has to
         Task<>& one;
         ~Untie() { one = Task<>(); }
       } untie{one};
       one.cancel();
     },
     &typeid(jumpcut::RecursionError),
     {"cancel: task 'one' waits for itself by way of others"}},
    {"a token is used twice",
     [] {
       auto token = number.set(1);
       number.reset(token);
       number.reset(token);
     },
     &runtime_error,
     {"ContextVar 'number', reset: this token has been used already"}},
    {"another variable's token",
     [] {
       auto token = number.set(1);
       other_number.reset(token);
     },
     &value_error,
     {"ContextVar 'other_number', reset: this token is of 'number'"}},
    {"a token is used in another task",
     [] {
       auto token = number.set(1);
       await(create_task([&] { number.reset(token); }));
     },
     &value_error,
     {"ContextVar 'number', reset: this token is of another context"}},
    {"a variable that was never set",
     [] { static_cast<void>(ContextVar<int>("unset").get()); },
     &runtime_error,
     {"ContextVar 'unset' has no value", "set() it first"}},
};

const Misuse loops[] = {
    {"run inside a task",
     [] { run([] {}); },
     &runtime_error,
     {"run: a loop runs in this thread already", "await what you want to run"}},
    {"run inside a callback",
     [] { in_callback([] { run([] {}); }); },
     &runtime_error,
     {"run: a loop runs in this thread already"}},
    {"run_forever inside a task",
     [] { get_running_loop().run_forever(); },
     &runtime_error,
     {"run_forever: a loop runs in this thread already"}},
    {"run_until_complete of another loop inside a task",
     [] { Loop().run_until_complete([] {}); },
     &runtime_error,
     {"run_until_complete: a loop runs in this thread already", "start a thread"}},
    {"a loop is closed while it runs",
     [] { get_running_loop().close(); },
     &runtime_error,
     {"close: the loop runs; stop() it first"}},
    {"a loop runs after its end",
     [] {
       Loop loop;
       loop.close();
       loop.run_forever();
     },
     &typeid(jumpcut::LoopClosed),
     {"run_forever: the loop is closed"}},
    {"call_soon after the end",
     [] {
       Loop loop;
       loop.close();
       loop.call_soon([] {});
     },
     &typeid(jumpcut::LoopClosed),
     {"call_soon: the loop is closed"}},
    {"call_soon of nothing",
     [] { get_running_loop().call_soon(no_function); },
     &value_error,
     {"call_soon: the function is null"}},
    {"call_soon_threadsafe of nothing",
     [] { get_running_loop().call_soon_threadsafe(std::function<void()>()); },
     &value_error,
     {"call_soon_threadsafe: the function is null"}},
    {"a delay that is not a number",
     [] {
       const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
       get_running_loop().call_later(nan, [] {});
     },
     &value_error,
     {"not a number"}},
    {"add_reader of a descriptor that is not open",
     [] { get_running_loop().add_reader(-1, [] {}); },
     &typeid(std::system_error),
     {"epoll_ctl on descriptor -1, which is not open"}},
    {"add_reader of a regular file",
     [] {
       const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
       struct Closing {
         int fd;
         ~Closing() { close(fd); }
       } closing{file};
       get_running_loop().add_reader(file, [] {});
     },
     &typeid(std::system_error),
     {"regular files and directories can't be watched"}},
    {"run_until_complete of a future of another loop",
     [] {
       on_thread([] {
         Loop loop;
         Loop other;
         loop.run_until_complete(other.create_future<>());
       });
     },
     &runtime_error,
     {"run_until_complete: future belongs to another loop"}},
    {"run_until_complete of nothing",
     [] { on_thread([] { Loop().run_until_complete(no_function); }); },
     &value_error,
     {"create_task: the function is null"}},
    {"run_until_complete is stopped",
     [] {
       on_thread([] {
         Loop loop;
         loop.call_soon([&] { loop.stop(); });
         loop.run_until_complete([] { sleep(1h); });
       });
     },
     &runtime_error,
     {"run_until_complete: the loop was stopped before task 'Task-1' was done"}},
    {"a Runner is used after its end",
     [] {
       on_thread([] {
         jumpcut::Runner runner;
         runner.close();
         runner.run([] {});
       });
     },
     &runtime_error,
     {"Runner: it is closed"}},
    {"the clock is sent back",
     [] {
       VirtualClock clock;
       clock.advance(-1s);
     },
     &value_error,
     {"VirtualClock", "can't go back"}},
    {"a loop that waits for nobody",
     [] { on_thread([] { on_loop([] { await(Future<>()); }); }); },
     &typeid(Deadlock),
     {"deadlock", "task 'Task-1' waits for future"}},
};

// Of the 60 cases of bad use that there have to be at least, these are here.
static_assert(std::size(waits) + std::size(futures) + std::size(tasks) + std::size(loops) == 56);

}  // namespace

TEST_CASE("a wait that can't be is refused") {
  check_refused_in_tasks(waits);
}

TEST_CASE("a future that can't end so, and a handle of nothing, are refused") {
  check_refused_in_tasks(futures);
}

TEST_CASE("a task that can't be, and a context variable's misuse, are refused") {
  check_refused_in_tasks(tasks);
}

TEST_CASE("what a loop can't do, or not now, is refused") {
  check_refused_in_tasks(loops);
}
