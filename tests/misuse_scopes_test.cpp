// What can't be done with scopes, groups, several futures at once, callbacks and threads is refused
// by name.

#include "misuse.hpp"

#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::Loop, jumpcut::Task;
using jumpcut::sleep, jumpcut::RuntimeError, jumpcut::ValueError;
using jumpcut::TaskGroup, jumpcut::Timeout, jumpcut::CancelScope, jumpcut::ThreadPool;

namespace {

const auto& runtime_error = typeid(RuntimeError);
const auto& value_error = typeid(ValueError);

using Function = void (*)();
constexpr Function no_function = nullptr;

const Misuse scopes[] = {
    {"create_task of a group that was not entered",
     [] { TaskGroup().create_task([] {}); },
     &runtime_error,
     {"TaskGroup.create_task: the TaskGroup has not been entered; pass it to task_group()"}},
    {"create_task of a group that has finished",
     [] {
       TaskGroup group;
       jumpcut::task_group(group, [] {});
       group.create_task([] {});
     },
     &runtime_error,
     {"TaskGroup.create_task: the TaskGroup is finished", "make another"}},
    {"create_task of a group that shuts down",
     [] {
       jumpcut::task_group([](TaskGroup& group) {
         group.cancel();
         try {
           group.create_task([] {});
         } catch (const RuntimeError&) {
           group.create_task([] {});
         }
       });
     },
     &typeid(jumpcut::ExceptionGroup),
     {"TaskGroup.create_task: the TaskGroup is shutting down"}},
    {"a group is entered twice",
     [] {
       TaskGroup group;
       jumpcut::task_group(group, [] {});
       jumpcut::task_group(group, [] {});
     },
     &runtime_error,
     {"TaskGroup has already been entered", "make one for each use"}},
    {"start of a function that never says that it is ready",
     [] {
       jumpcut::task_group([](TaskGroup& group) {
         try {
           group.start<>([](jumpcut::Started<void>&) {}, {.name = "mute"});
         } catch (const RuntimeError& error) {
           throw RuntimeError(error);  // not in a group
         }
       });
     },
     &typeid(jumpcut::ExceptionGroup),
     {"TaskGroup.start", "'mute'"}},
    {"a task that says twice that it is ready",
     [] {
       std::exception_ptr error;
       jumpcut::task_group([&](TaskGroup& group) {
         group.start<>([&](jumpcut::Started<void>& started) {
           started();
           try {
             started();
           } catch (...) {
             error = std::current_exception();
           }
         });
       });
       std::rethrow_exception(error);
     },
     &runtime_error,
     {"Started: it was called already; a task starts once"}},
    {"a group of nothing",
     [] { jumpcut::task_group(no_function); },
     &value_error,
     {"task_group: the function is null"}},
    {"start of nothing",
     [] {
       std::exception_ptr error;
       jumpcut::task_group([&](TaskGroup& group) {
         try {
           group.start<>(std::function<void(jumpcut::Started<void>&)>());
         } catch (...) {
           error = std::current_exception();
         }
       });
       std::rethrow_exception(error);
     },
     &value_error,
     {"TaskGroup.start: the function is null"}},
    {"a group in a callback",
     [] { in_callback([] { jumpcut::task_group([] {}); }); },
     &runtime_error,
     {"task_group outside a task"}},
    {"a timeout is entered twice",
     [] {
       Timeout scope(1s);
       jumpcut::timeout(scope, [] {});
       jumpcut::timeout(scope, [] {});
     },
     &runtime_error,
     {"timeout: this Timeout has already been entered; make one for each use"}},
    {"a timeout is entered inside itself",
     [] {
       Timeout scope(1s);
       jumpcut::timeout(scope, [&] { jumpcut::timeout(scope, [] {}); });
     },
     &runtime_error,
     {"timeout: this Timeout has already been entered"}},
    {"a timeout is rescheduled before it is entered",
     [] { Timeout(1s).reschedule(std::nullopt); },
     &runtime_error,
     {"Timeout.reschedule: it has not been entered; pass it to timeout()"}},
    {"a timeout is rescheduled after it has expired",
     [] {
       Timeout scope(1s);
       try {
         jumpcut::timeout(scope, [] { sleep(1h); });
       } catch (const jumpcut::TimeoutError&) {
       }
       scope.reschedule(std::nullopt);
     },
     &runtime_error,
     {"Timeout.reschedule: it has expired; make another"}},
    {"a timeout around nothing",
     [] { jumpcut::timeout(1s, no_function); },
     &value_error,
     {"timeout: the function is null"}},
    {"wait_for of nothing",
     [] { jumpcut::wait_for(no_function, 1s); },
     &value_error,
     {"wait_for: the function is null"}},
    {"a cancel scope is entered twice",
     [] {
       CancelScope scope;
       jumpcut::cancel_scope(scope, [] {});
       jumpcut::cancel_scope(scope, [] {});
     },
     &runtime_error,
     {"cancel_scope: this CancelScope has already been entered; make one for each use"}},
    {"a cancel scope is cancelled by another thread",
     [] {
       CancelScope scope;
       jumpcut::cancel_scope(scope, [&] { on_thread([&] { scope.cancel(); }); });
     },
     &runtime_error,
     {"CancelScope.cancel: this loop belongs to another thread"}},
};

const Misuse waits[] = {
    {"wait for nothing",
     [] { jumpcut::wait(std::vector<Task<>>()); },
     &value_error,
     {"wait: there is nothing to wait for"}},
    {"wait for a handle of nothing",
     [] { jumpcut::wait({Task<>()}); },
     &runtime_error,
     {"wait: this handle refers to no future or task"}},
    {"wait for another loop's",
     [] {
       Loop other;
       jumpcut::wait({other.create_future<>()});
     },
     &value_error,
     {"wait", "loop"}},
    {"gather of several loops",
     [] {
       Loop other;
       jumpcut::gather(Future<>(), other.create_future<>());
     },
     &value_error,
     {"gather", "loop"}},
    {"gather of a handle of nothing",
     [] { jumpcut::gather(Task<>(), [] {}); },
     &runtime_error,
     {"gather: this handle refers to no future or task"}},
    {"gather of nothing",
     [] { jumpcut::gather(no_function); },
     &value_error,
     {"gather: the function is null"}},
    {"gather in a callback",
     [] { in_callback([] { jumpcut::gather([] {}); }); },
     &runtime_error,
     {"gather outside a task"}},
    {"shield of another loop's",
     [] {
       Loop other;
       jumpcut::shield(other.create_future<>());
     },
     &runtime_error,
     {"loop"}},
    {"what as_completed gives is awaited twice",
     [] {
       for (const auto& next : jumpcut::as_completed({create_task([] {})})) {
         await(next);
         await(next);
       }
     },
     &runtime_error,
     {"as_completed: what it gives can be awaited once"}},
    {"await_callback of nothing",
     [] { jumpcut::await_callback<int>(std::function<void(jumpcut::Done<int>)>()); },
     &value_error,
     {"await_callback: the function is null"}},
    {"a callback that is dropped",
     [] { jumpcut::await_callback<int>([](const jumpcut::Done<int>&) {}); },
     &typeid(jumpcut::CallbackDropped),
     {"the callback was dropped without being called", "misuse_scopes_test.cpp"}},
    {"a callback that was moved from",
     [] {
       jumpcut::await_callback<>([](jumpcut::Done<> done) {
         const jumpcut::Done<> to = std::move(done);
         to();
         done();  // NOLINT(*use-after-move)
       });
     },
     &runtime_error,
     {"done(): this callback was moved from"}},
    {"await_callback in a callback",
     [] { in_callback([] { jumpcut::await_callback<>([](const jumpcut::Done<>& d) { d(); }); }); },
     &runtime_error,
     {"await_callback outside a task"}},
};

const Misuse threads[] = {
    {"a pool of too many threads",
     [] { ThreadPool({.max_workers = 100'001}); },
     &value_error,
     {"ThreadPool: max_workers is 100001, and 100,000 is the most"}},
    {"a job after shutdown",
     [] {
       ThreadPool pool({.max_workers = 1});
       pool.shutdown();
       pool.submit([] {});
     },
     &runtime_error,
     {"the ThreadPool is shut down, and takes no jobs"}},
    {"run_in_executor after shutdown",
     [] {
       ThreadPool pool({.max_workers = 1});
       pool.shutdown();
       jumpcut::run_in_executor(&pool, [] {});
     },
     &runtime_error,
     {"the ThreadPool is shut down"}},
    {"a job of nothing",
     [] { ThreadPool({.max_workers = 1}).submit(no_function); },
     &value_error,
     {"submit: the function is null"}},
    {"to_thread of nothing",
     [] { jumpcut::to_thread(no_function); },
     &value_error,
     {"to_thread: the function is null"}},
    {"run_coroutine_threadsafe of nothing",
     [] { jumpcut::run_coroutine_threadsafe(no_function, jumpcut::get_running_loop()); },
     &value_error,
     {"run_coroutine_threadsafe: the function is null"}},
    {"a pool is shut down by one of its threads",
     [] {
       ThreadPool pool({.max_workers = 1});
       pool.submit([&] { pool.shutdown(); }).get();
     },
     &runtime_error,
     {"shutdown: a thread of the pool can't wait for itself"}},
    {"a thread future of nothing",
     [] { static_cast<void>(jumpcut::ThreadFuture<>().done()); },
     &runtime_error,
     {"done: this handle refers to no future"}},
    {"a callback blocks its own loop",
     [] {
       const auto future = jumpcut::run_coroutine_threadsafe([] {}, jumpcut::get_running_loop());
       in_callback([&] { future.get(); });
     },
     &runtime_error,
     {"ThreadFuture.get: it waits for this thread's own loop", "wait for it in a task"}},
    {"to_thread awaits",
     [] { jumpcut::to_thread([] { sleep(1s); }); },
     &runtime_error,
     {"sleep outside a task"}},
    {"a closed loop is asked for a task",
     [] {
       Loop other;
       other.close();
       jumpcut::run_coroutine_threadsafe([] {}, other).get();
     },
     &typeid(jumpcut::LoopClosed),
     {"closed"}},
};

// Of the 60 cases of bad use that there have to be at least, these are here.
static_assert(std::size(scopes) + std::size(waits) + std::size(threads) == 41);

}  // namespace

TEST_CASE("what a scope or a group can't do is refused") {
  check_refused_in_tasks(scopes);
}

TEST_CASE("waits for nothing, for others' and for callbacks that don't come are refused") {
  check_refused_in_tasks(waits);
}

TEST_CASE("what threads can't do for a loop is refused") {
  check_refused_in_tasks(threads);
}

TEST_CASE("a callback that comes twice is reported, with the call that waited for it") {
  on_loop([] {
    std::vector<std::string> told;
    jumpcut::get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext& context) { told.push_back(context.describe()); });
    const int value = jumpcut::await_callback<int>([](const jumpcut::Done<int>& done) {
      done(1);
      done(2);
      done(3);
    });
    CHECK(value == 1);
    ticks(2);
    REQUIRE(told.size() == 1);
    CHECK_THAT(told[0],
               Catch::Contains(
                   "a callback was called more than once; all but the first call is ignored") &&
                   Catch::Contains("misuse_scopes_test.cpp"));
    CHECK(jumpcut::get_running_loop().stats().repeated_callbacks == 2);
  });
}
