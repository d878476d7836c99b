// What belongs to one thread, or needs a task or a loop, is refused by name elsewhere.

#include "misuse.hpp"

#include <jumpcut/testing.hpp>

#include <iterator>

using jumpcut::await, jumpcut::create_task, jumpcut::Future, jumpcut::Loop;
using jumpcut::get_running_loop, jumpcut::sleep, jumpcut::run, jumpcut::RuntimeError;
using jumpcut::ValueError;

namespace {

const auto& runtime_error = typeid(RuntimeError);
const auto& value_error = typeid(ValueError);

using Function = void (*)();
constexpr Function no_function = nullptr;

/// The main task's loop from a thread that is not its own.
template <class Function>
void elsewhere(Function function) {
  Loop& loop = get_running_loop();
  on_thread([&] { function(loop); });
}

const Misuse threads[] = {
    {"call_soon",
     [] { elsewhere([](Loop& loop) { loop.call_soon([] {}); }); },
     &runtime_error,
     {"call_soon: this loop belongs to another thread; use call_soon_threadsafe"}},
    {"call_later",
     [] { elsewhere([](Loop& loop) { loop.call_later(1s, [] {}); }); },
     &runtime_error,
     {"call_at: this loop belongs to another thread"}},
    {"create_task",
     [] { elsewhere([](Loop& loop) { loop.create_task([] {}).detach(); }); },
     &runtime_error,
     {"create_task: this loop belongs to another thread"}},
    {"create_future",
     [] { elsewhere([](Loop& loop) { loop.create_future<>(); }); },
     &runtime_error,
     {"create_future: this loop belongs to another thread"}},
    {"add_reader",
     [] { elsewhere([](Loop& loop) { loop.add_reader(0, [] {}); }); },
     &runtime_error,
     {"add_reader: this loop belongs to another thread"}},
    {"remove_writer",
     [] { elsewhere([](Loop& loop) { loop.remove_writer(0); }); },
     &runtime_error,
     {"remove_writer: this loop belongs to another thread"}},
    {"stop",
     [] { elsewhere([](Loop& loop) { loop.stop(); }); },
     &runtime_error,
     {"stop: this loop belongs to another thread"}},
    {"close",
     [] { elsewhere([](Loop& loop) { loop.close(); }); },
     &runtime_error,
     {"close: this loop belongs to another thread"}},
    {"run_forever",
     [] { elsewhere([](Loop& loop) { loop.run_forever(); }); },
     &runtime_error,
     {"run_forever: this loop belongs to the thread that made it; run it there"}},
    {"set_exception_handler",
     [] { elsewhere([](Loop& loop) { loop.set_exception_handler(nullptr); }); },
     &runtime_error,
     {"set_exception_handler: this loop belongs to another thread"}},
    {"stats",
     [] { elsewhere([](Loop& loop) { static_cast<void>(loop.stats()); }); },
     &runtime_error,
     {"stats: this loop belongs to another thread"}},
    {"set_debug",
     [] { elsewhere([](Loop& loop) { loop.set_debug(true); }); },
     &runtime_error,
     {"set_debug: this loop belongs to another thread"}},
    {"cancel of a handle",
     [] {
       const auto handle = get_running_loop().call_later(1s, [] {});
       elsewhere([&](Loop&) { handle.cancel(); });
     },
     &runtime_error,
     {"Handle.cancel: it belongs to another thread's loop", "call_soon_threadsafe"}},
    {"set_result",
     [] {
       const Future<> future;
       on_thread([&] { future.set_result(); });
     },
     &runtime_error,
     {"set_result: future belongs to another thread's loop", "call_soon_threadsafe"}},
    {"cancel of a task",
     [] {
       const auto task = create_task([] {}, {.name = "far"});
       on_thread([&] { task.cancel(); });
     },
     &runtime_error,
     {"cancel: task 'far' belongs to another thread's loop"}},
    {"uncancel of a task",
     [] {
       const auto task = create_task([] {}, {.name = "far"});
       on_thread([&] { task.uncancel(); });
     },
     &runtime_error,
     {"uncancel: task 'far' belongs to another thread's loop"}},
    {"a task is renamed",
     [] {
       const auto task = create_task([] {}, {.name = "far"});
       on_thread([&] { task.set_name("near"); });
     },
     &runtime_error,
     {"set_name: task 'far' belongs to another thread's loop"}},
    {"a task's stack",
     [] {
       const auto task = create_task([] {}, {.name = "far"});
       on_thread([&] { task.print_stack(); });
     },
     &runtime_error,
     {"task 'far'", "thread"}},
    {"the call graph",
     [] {
       const auto task = create_task([] {}, {.name = "far"});
       on_thread([&] { static_cast<void>(jumpcut::format_call_graph(task)); });
     },
     &runtime_error,
     {"task 'far'", "thread"}},
    {"add_done_callback",
     [] {
       const Future<> future;
       on_thread([&] { future.add_done_callback([] {}); });
     },
     &runtime_error,
     {"add_done_callback: future belongs to another thread's loop"}},
    {"remove_done_callback",
     [] {
       const Future<> future;
       const auto token = future.add_done_callback([] {});
       on_thread([&] { future.remove_done_callback(token); });
     },
     &runtime_error,
     {"remove_done_callback: future belongs to another thread's loop"}},
    {"a future is awaited in another thread's loop",
     [] {
       const Future<> future;
       on_thread([&] { on_loop([&] { await(future); }); });
     },
     &runtime_error,
     {"await: task 'Task-1' can't await future of another loop"}},
    {"a Runner",
     [] {
       on_thread([] {
         jumpcut::Runner runner;
         runner.run([] {});
         on_thread([&] { runner.run([] {}); });
       });
     },
     &runtime_error,
     {"run: this loop belongs to the thread that made it"}},
};

const Misuse outside[] = {
    {"await",
     [] { await(Loop().create_future<>()); },
     &runtime_error,
     {"await outside a task: wrap the caller in create_task or run"}},
    {"sleep",
     [] { sleep(1s); },
     &runtime_error,
     {"sleep outside a task: wrap the caller in create_task or run"}},
    {"checkpoint", [] { jumpcut::checkpoint(); }, &runtime_error, {"checkpoint outside a task"}},
    {"create_task",
     [] { create_task([] {}).detach(); },
     &runtime_error,
     {"create_task: no loop runs in this thread", "jumpcut::run(main)"}},
    {"a future",
     [] { static_cast<void>(Future<>()); },
     &runtime_error,
     {"Future: no loop runs in this thread"}},
    {"get_running_loop",
     [] { get_running_loop(); },
     &runtime_error,
     {"get_running_loop: no loop runs in this thread"}},
    {"all_tasks",
     [] { static_cast<void>(jumpcut::all_tasks()); },
     &runtime_error,
     {"all_tasks: no loop runs in this thread"}},
    {"run_in_executor",
     [] { jumpcut::run_in_executor(nullptr, [] {}); },
     &runtime_error,
     {"run_in_executor: no loop runs in this thread"}},
    {"to_thread",
     [] { jumpcut::to_thread([] {}); },
     &runtime_error,
     {"to_thread outside a task: wrap the caller in create_task or run"}},
    {"run of nothing",
     [] { run(no_function); },
     &value_error,
     {"create_task: the function is null"}},
    {"a test's body that is nothing",
     [] { jumpcut::testing::run(no_function); },
     &value_error,
     {"testing::run: the function is null"}},
    {"run_on_big_stack",
     [] { jumpcut::run_on_big_stack([] {}); },
     &runtime_error,
     {"run_on_big_stack outside a fiber"}},
    {"a stack size that can't be had",
     [] { run([] {}, {.stack_size = 1}); },
     &value_error,
     {"a stack_size of 1 bytes: at least"}},
    {"FiberLocal",
     [] { jumpcut::FiberLocal<int>().get(); },
     &runtime_error,
     {"FiberLocal outside a fiber"}},
};

// How many of the 60 at least are here.
static_assert(std::size(threads) + std::size(outside) == 37);

}  // namespace

TEST_CASE("calls on another thread's loop are refused, all that belong to one thread") {
  check_refused_in_tasks(threads);
}

TEST_CASE("calls that need a task or a loop are refused where there is none") {
  check_refused_outside(outside);
}
