// jumpcut/future.hpp: how a future ends, who is told, and who gets the value.

#include <jumpcut/future.hpp>

#include <jumpcut/context.hpp>
#include <jumpcut/loop.hpp>

#include "on_loop.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::AnyFuture;
using jumpcut::Cancelled;
using jumpcut::ContextVar;
using jumpcut::create_task;
using jumpcut::DoneToken;
using jumpcut::ErrorContext;
using jumpcut::Future;
using jumpcut::get_running_loop;
using jumpcut::InvalidStateError;
using jumpcut::Loop;
using jumpcut::RuntimeError;
using jumpcut::Task;
using jumpcut::ValueError;

namespace {

template <class Function>
std::string text_of(Function function) {
  try {
    function();
  } catch (const std::exception& error) {
    return error.what();
  } catch (const Cancelled& cancelled) {
    return "Cancelled(" + cancelled.message() + ")";
  }
  return "nothing";
}

}  // namespace

TEST_CASE("a new future is neither done nor cancelled") {
  on_loop([] {
    const Future<int> future;
    CHECK(!future.done());
    CHECK(!future.cancelled());
    CHECK(future);
  });
}

TEST_CASE("a future needs a loop") {
  CHECK_THROWS_AS(Future<int>(), RuntimeError);
  CHECK(text_of([] { Future<int>(); }).find("no loop runs in this thread") != std::string::npos);
  Loop loop;
  CHECK(!loop.create_future<int>().done());
}

TEST_CASE("a future that refers to none says so") {
  const Future<int> none(nullptr);
  CHECK(!none);
  CHECK_THROWS_AS(none.done(), RuntimeError);
  CHECK_THROWS_AS(none.cancel(), RuntimeError);
  CHECK_THROWS_AS(none.result(), RuntimeError);
  on_loop([&] { CHECK_THROWS_AS(await(none), RuntimeError); });
}

TEST_CASE("a future has the result it was given") {
  on_loop([] {
    const Future<int> future;
    future.set_result(42);
    CHECK(future.done());
    CHECK(!future.cancelled());
    CHECK(future.result() == 42);
    CHECK(future.exception() == nullptr);
    CHECK(await(future) == 42);
  });
}

TEST_CASE("a future of nothing is done or not") {
  on_loop([] {
    const Future<> future;
    future.set_result();
    CHECK_NOTHROW(future.result());
    await(future);
  });
}

TEST_CASE("a future throws the exception it was given") {
  on_loop([] {
    const Future<int> future;
    const auto error = std::make_exception_ptr(std::runtime_error("bad"));
    future.set_exception(error);
    CHECK(future.done());
    CHECK(future.exception() == error);
    CHECK_THROWS_WITH(future.result(), "bad");
    CHECK_THROWS_WITH(await(future), "bad");
    CHECK_THROWS_WITH(await(future), "bad");
  });
}

TEST_CASE("set_exception takes an exception or a pointer to one") {
  on_loop([] {
    const Future<> future;
    future.set_exception(std::runtime_error("bad"));
    CHECK_THROWS_WITH(await(future), "bad");
    CHECK_THROWS_AS(Future<>().set_exception(nullptr), ValueError);
  });
}

TEST_CASE("a future can't be made to fail with Cancelled") {
  on_loop([] {
    const Future<> future;
    CHECK_THROWS_AS(future.set_exception(Cancelled()), RuntimeError);
    CHECK(!future.done());
  });
}

TEST_CASE("a future that is not done has no result and no exception") {
  on_loop([] {
    const Future<int> future;
    CHECK_THROWS_AS(future.result(), InvalidStateError);
    CHECK_THROWS_AS(future.exception(), InvalidStateError);
    CHECK(!future.done());
  });
}

TEST_CASE("a future ends once") {
  on_loop([] {
    const Future<int> future;
    future.set_result(1);
    CHECK_THROWS_AS(future.set_result(2), InvalidStateError);
    CHECK_THROWS_AS(future.set_exception(std::runtime_error("bad")), InvalidStateError);
    CHECK(!future.cancel());
    CHECK(future.result() == 1);
    const Future<int> cancelled;
    CHECK(cancelled.cancel());
    CHECK_THROWS_AS(cancelled.set_result(1), InvalidStateError);
    CHECK(!cancelled.cancel());
  });
}

TEST_CASE("a cancelled future throws Cancelled, with the message, to whoever asks") {
  on_loop([] {
    const Future<int> future;
    CHECK(future.cancel("my message"));
    CHECK(future.cancelled());
    CHECK(future.done());
    CHECK(text_of([&] { future.result(); }) == "Cancelled(my message)");
    CHECK(text_of([&] { future.exception(); }) == "Cancelled(my message)");
    CHECK(text_of([&] { await(future); }) == "Cancelled(my message)");
    CHECK(text_of([&] { await(future); }) == "Cancelled(my message)");
  });
}

TEST_CASE("a future tells where it was cancelled, and by whom") {
  on_loop([] {
    const Future<int> future;
    await(create_task([&] { future.cancel(); }, {.name = "culprit"}));
    try {
      await(future);
      FAIL();
    } catch (const Cancelled& cancelled) {
      CHECK(!cancelled.has_message());
      CHECK(std::string(cancelled.where().file).find("future_test.cpp") != std::string::npos);
      CHECK(cancelled.request().by == "culprit");
    }
  });
}

TEST_CASE("Cancelled passes handlers for std::exception") {
  static_assert(!std::is_base_of_v<std::exception, Cancelled>);
}

TEST_CASE("await parks until the future is done") {
  on_loop([] {
    const Future<int> future;
    std::string order;
    const auto waiting = create_task([&] {
      order += 'a';
      order += std::to_string(await(future));
    });
    ticks(3);
    CHECK(order == "a");
    future.set_result(7);
    CHECK(order == "a");
    await(waiting);
    CHECK(order == "a7");
  });
}

TEST_CASE("await of a future that is done does not switch") {
  on_loop([] {
    const Future<int> future;
    future.set_result(1);
    const OthersTurn others;
    await(future);
    CHECK(!others.came());
  });
}

TEST_CASE("a future's callbacks and awaiting tasks have their turns in the order they came") {
  on_loop([] {
    const Future<> future;
    std::string order;
    future.add_done_callback([&] { order += 'a'; });
    const auto task = create_task([&] {
      await(future);
      order += 'w';
    });
    ticks(1);
    future.add_done_callback([&] { order += 'b'; });
    get_running_loop().call_soon([&] { order += 'q'; });
    future.set_result();
    CHECK(order.empty());
    ticks(1);
    CHECK(order == "qawb");
  });
}

TEST_CASE("a callback is given its future") {
  on_loop([] {
    const Future<int> future;
    int value = 0;
    future.add_done_callback([&](const Future<int>& done) { value = done.result(); });
    const AnyFuture any = future;
    any.add_done_callback([&](const AnyFuture& done) { CHECK(done == future); });
    future.set_result(5);
    ticks(1);
    CHECK(value == 5);
  });
}

TEST_CASE("callbacks are called for results, exceptions and cancellations") {
  on_loop([] {
    int calls = 0;
    const Future<int> a, b, c;
    for (const auto& future : {a, b, c}) future.add_done_callback([&] { ++calls; });
    a.set_result(1);
    b.set_exception(std::runtime_error("bad"));
    c.cancel();
    ticks(1);
    CHECK(calls == 3);
    CHECK(b.exception() != nullptr);
  });
}

TEST_CASE("a callback that is added to a future that is done is called in the next tick") {
  on_loop([] {
    const Future<> future;
    future.set_result();
    std::string order;
    get_running_loop().call_soon([&] { order += 'q'; });
    future.add_done_callback([&] { order += 'a'; });
    CHECK(order.empty());
    ticks(1);
    CHECK(order == "qa");
  });
}

TEST_CASE("a callback that is removed is not called, the others are") {
  on_loop([] {
    const Future<> future;
    std::string order;
    future.add_done_callback([&] { order += 'a'; });
    const DoneToken token = future.add_done_callback([&] { order += 'b'; });
    future.add_done_callback([&] { order += 'c'; });
    CHECK(future.remove_done_callback(token));
    CHECK(!future.remove_done_callback(token));
    future.set_result();
    ticks(1);
    CHECK(order == "ac");
  });
}

TEST_CASE("a callback whose turn is near can't be removed any more") {
  on_loop([] {
    const Future<> future;
    bool called = false;
    const DoneToken token = future.add_done_callback([&] { called = true; });
    future.set_result();
    CHECK(!future.remove_done_callback(token));
    ticks(1);
    CHECK(called);
  });
}

TEST_CASE("a callback that is removed is destroyed at once") {
  on_loop([] {
    const Future<> future;
    const auto held = std::make_shared<int>();
    const DoneToken token = future.add_done_callback([held] {});
    CHECK(held.use_count() == 2);
    future.remove_done_callback(token);
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("a future that is dropped drops its callbacks") {
  on_loop([] {
    const auto held = std::make_shared<int>();
    {
      Future<>().add_done_callback([held] {});
    }
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("a callback may add callbacks") {
  on_loop([] {
    const Future<> future;
    std::string order;
    future.add_done_callback([&](const Future<>& done) {
      order += 'a';
      done.add_done_callback([&] { order += 'b'; });
    });
    future.set_result();
    ticks(1);
    CHECK(order == "a");
    ticks(1);
    CHECK(order == "ab");
  });
}

TEST_CASE("a callback has the context variables of when it was added") {
  on_loop([] {
    static ContextVar<int> variable("variable", 0);
    variable.set(1);
    const Future<> future;
    int seen = 0;
    future.add_done_callback([&] { seen = variable.get(); });
    variable.set(2);
    future.set_result();
    ticks(1);
    CHECK(seen == 1);
  });
}

TEST_CASE("what a callback throws is reported, and the next is called") {
  bool called = false;
  const auto reports = reports_of([&] {
    const Future<> future;
    future.add_done_callback([] { throw std::runtime_error("bad"); });
    future.add_done_callback([&] { called = true; });
    future.set_result();
    ticks(1);
  });
  CHECK(called);
  CHECK(reports == std::vector<std::string>{"Exception in done callback"});
}

TEST_CASE("a null callback is refused") {
  on_loop(
      [] { CHECK_THROWS_AS(Future<>().add_done_callback(std::function<void()>()), ValueError); });
}

TEST_CASE("a callback can't await") {
  on_loop([] {
    const Future<> done, pending;
    std::string text;
    done.add_done_callback([&] { text = text_of([&] { await(pending); }); });
    done.set_result();
    ticks(1);
    CHECK(text.find("await outside a task: this is a callback") == 0);
  });
}

TEST_CASE("an exception that nobody takes is reported when the future is dropped") {
  CHECK(reports_of([] {
          const Future<> future;
          future.set_exception(std::runtime_error("bad"));
          ticks(2);
        }) == std::vector<std::string>{"Future exception was never retrieved"});
}

TEST_CASE("an exception that was asked for, thrown or cancelled is not reported") {
  CHECK(reports_of([] {
          const std::vector<Future<>> futures{Future<>(), Future<>(), Future<>(), Future<>()};
          for (const auto& future : futures) future.set_exception(std::runtime_error("bad"));
          CHECK(futures[0].exception() != nullptr);
          CHECK_THROWS(futures[1].result());
          CHECK_THROWS(await(futures[2]));
          CHECK(!futures[3].cancel());
        }).empty());
}

TEST_CASE("a future that is dropped with a value, or without, is not reported") {
  CHECK(reports_of([] {
          Future<int>().set_result(1);
          Future<int>();
          Future<int>().cancel();
        }).empty());
}

TEST_CASE("all who await a future that fails get the same exception") {
  on_loop([] {
    const Future<> future;
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(create_task([&] { return text_of([&] { await(future); }); }));
    }
    ticks(1);
    future.set_exception(std::runtime_error("bad"));
    for (const auto& task : tasks) CHECK(await(task) == "bad");
  });
}

TEST_CASE("cancelling one of two who await a future cancels the future, and both") {
  on_loop([] {
    const Future<> future;
    const auto a = create_task([&] { await(future); });
    const auto b = create_task([&] { await(future); });
    ticks(1);
    a.cancel();
    CHECK(future.cancelled());
    CHECK(is_cancelled([&] { await(a); }));
    CHECK(is_cancelled([&] { await(b); }));
    CHECK(b.cancelling() == 0);
  });
}

TEST_CASE("a value that can't be copied goes to who asks first") {
  on_loop([] {
    const Future<std::unique_ptr<int>> future;
    future.set_result(std::make_unique<int>(4));
    CHECK(*await(future) == 4);
    CHECK_THROWS_AS(await(future), InvalidStateError);
    CHECK_THROWS_AS(future.result(), InvalidStateError);
    CHECK(future.done());
  });
}

TEST_CASE("a vector of values that can't be copied is such a value too") {
  on_loop([] {
    const Future<std::vector<std::unique_ptr<int>>> future;
    std::vector<std::unique_ptr<int>> values;
    values.push_back(std::make_unique<int>(4));
    future.set_result(std::move(values));
    CHECK(*await(future)[0] == 4);
  });
}

TEST_CASE("awaiting the last handle of a future moves its value out") {
  on_loop([] {
    struct Counted {
      int copies = 0;
      Counted() = default;
      Counted(const Counted& other) : copies(other.copies + 1) {}
      Counted(Counted&&) = default;
      Counted& operator=(const Counted&) = delete;
    };
    Future<Counted> future;
    future.set_result(Counted());
    CHECK(await(future).copies == 1);
    CHECK(await(std::move(future)).copies == 0);
  });
}

TEST_CASE("copies of a future are the same future") {
  on_loop([] {
    const Future<int> a;
    const Future<int> b = a;
    CHECK(a == b);
    CHECK(!(a == Future<int>()));
    a.set_result(3);
    CHECK(b.result() == 3);
  });
}

TEST_CASE("a future of another loop can't be awaited") {
  Loop other;
  const auto future = other.create_future<int>();
  on_loop(
      [&] { CHECK(text_of([&] { await(future); }).find("of another loop") != std::string::npos); });
}

TEST_CASE("a future can't be set from another thread") {
  on_loop([] {
    const Future<int> future;
    std::string text;
    std::thread([&] { text = text_of([&] { future.set_result(1); }); }).join();
    CHECK(text.find("call_soon_threadsafe") != std::string::npos);
    CHECK(!future.done());
  });
}

TEST_CASE("a future outlives its loop, and can't be set any more") {
  Future<int> pending(nullptr), set(nullptr);
  on_loop([&] {
    pending = Future<int>();
    set = Future<int>();
    set.set_result(2);
  });
  CHECK(!pending.done());
  CHECK_THROWS_AS(pending.set_result(1), RuntimeError);
  CHECK_THROWS_AS(pending.add_done_callback([] {}), RuntimeError);
  CHECK(set.result() == 2);
}

TEST_CASE("setting a future that a task awaits does not run the task") {
  on_loop([] {
    const Future<> future;
    bool resumed = false;
    const auto task = create_task([&] {
      await(future);
      resumed = true;
    });
    ticks(1);
    future.set_result();
    CHECK(!resumed);
    CHECK(!task.done());
    ticks(1);
    CHECK(resumed);
  });
}

namespace {

/// Of a library that knows how to wait for its own.
class Reply {
 public:
  explicit Reply(int value) : value_(value) {}
  friend int jumpcut_await(const Reply& reply) {
    ticks(1);
    return reply.value_;
  }

 private:
  int value_;
};

}  // namespace

TEST_CASE("await takes anything that has a jumpcut_await") {
  on_loop([] { CHECK(jumpcut::await(Reply(8)) == 8); });
}
