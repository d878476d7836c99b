// jumpcut/context.hpp: variables of which each task, and each callback, has the values that were
// there when it was made.

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using Catch::Contains;
using jumpcut::await, jumpcut::create_task, jumpcut::Context, jumpcut::ContextVar;
using jumpcut::copy_context, jumpcut::get_running_loop, jumpcut::Generator, jumpcut::Loop;

namespace {

/// Runs the body in a context of its own, so that one test does not see another's values.
template <class Body>
void apart(Body body) {
  Context().run(body);
}

ContextVar<std::string> who("who", "nobody");

}  // namespace

TEST_CASE("a context variable has its initial value until it is set") {
  apart([] {
    ContextVar<int> number("number", 7);
    CHECK(number.get() == 7);
    CHECK(number.get(8) == 8);  // what to use where it was not set
    number.set(9);
    CHECK(number.get() == 9);
    CHECK(number.get(8) == 9);
  });
}

TEST_CASE("a context variable without an initial value says so when it is asked for one") {
  apart([] {
    ContextVar<int> number("number");
    CHECK(number.get(3) == 3);
    CHECK_THROWS_WITH(number.get(), Contains("ContextVar 'number' has no value in this context"));
    const auto token = number.set(4);
    CHECK(number.get() == 4);
  });
}

TEST_CASE("a context variable may hold anything that can be copied") {
  apart([] {
    ContextVar<std::vector<std::string>> words("words");
    ContextVar<std::shared_ptr<int>> shared("shared", nullptr);
    CHECK(shared.get() == nullptr);
    words.set({"a", "b"});
    shared.set(std::make_shared<int>(5));
    CHECK(words.get() == std::vector<std::string>{"a", "b"});
    CHECK(shared.get().use_count() == 2);
  });
}

TEST_CASE("reset puts back what was there before set") {
  apart([] {
    ContextVar<int> number("number");
    auto first = number.set(1);
    auto second = number.set(2);
    auto third = number.set(3);
    number.reset(third);
    CHECK(number.get() == 2);
    number.reset(second);
    CHECK(number.get() == 1);
    number.reset(first);
    CHECK(number.get(0) == 0);
    CHECK_THROWS_AS(number.get(), jumpcut::RuntimeError);
  });
}

TEST_CASE("tokens may be used out of order, and each brings its own back") {
  apart([] {
    ContextVar<int> number("number", 0);
    auto first = number.set(1);
    auto second = number.set(2);
    number.reset(first);
    CHECK(number.get() == 0);
    number.reset(second);
    CHECK(number.get() == 1);
  });
}

TEST_CASE("a token is used once, by its own variable, in its own context") {
  apart([] {
    ContextVar<int> number("number", 0);
    ContextVar<int> other("other", 0);
    auto token = number.set(1);
    CHECK_THROWS_AS(other.reset(token), jumpcut::ValueError);
    CHECK_THROWS_WITH(other.reset(token), Contains("'other'") && Contains("'number'"));
    CHECK_THROWS_AS(Context().run([&] { number.reset(token); }), jumpcut::ValueError);
    CHECK_THROWS_WITH(copy_context().run([&] { number.reset(token); }),
                      Contains("another context"));
    CHECK(number.get() == 1);
    number.reset(token);
    CHECK_THROWS_AS(number.reset(token), jumpcut::RuntimeError);
    CHECK_THROWS_WITH(number.reset(token), Contains("used already"));
    auto moved = number.set(2);
    auto to = std::move(moved);
    CHECK_THROWS_AS(number.reset(moved), jumpcut::RuntimeError);  // NOLINT(*use-after-move)
    number.reset(std::move(to));
    CHECK(number.get() == 0);
  });
}

TEST_CASE("Context.run changes what is seen inside, and keeps what is set there") {
  apart([] {
    who.set("outside");
    const Context context;
    CHECK(context.run([] { return who.get(); }) == "nobody");
    context.run([] { who.set("inside"); });
    CHECK(who.get() == "outside");
    CHECK(context.run([] { return who.get(); }) == "inside");
    const Context same = context;  // NOLINT(*unnecessary-copy-initialization)
    CHECK(same.run([] { return who.get(); }) == "inside");
    CHECK_THROWS_AS(context.run([]() -> int { throw 5; }), int);
    CHECK(who.get() == "outside");
  });
}

TEST_CASE("copy_context is a copy: neither side sees what the other sets") {
  apart([] {
    who.set("first");
    const Context copy = copy_context();
    who.set("second");
    CHECK(copy.run([] { return who.get(); }) == "first");
    copy.run([] { who.set("third"); });
    CHECK(who.get() == "second");
  });
}

TEST_CASE("Context.run refuses a context that is entered already, until it is left") {
  apart([] {
    const Context context;
    const Context other;
    context.run([&] {
      CHECK_THROWS_AS(context.run([] {}), jumpcut::RuntimeError);
      other.run([&] {
        CHECK_THROWS_WITH(context.run([] {}), Contains("entered already") && Contains("copy()"));
        context.copy().run([] {});
      });
      other.run([] {});
    });
    CHECK_THROWS_AS(context.run([] { throw 5; }), int);
    context.run([] {});
  });
}

TEST_CASE("Context.run refuses the context of the task itself, and one that another task is in") {
  on_loop([] {
    const Context context;
    auto inside = create_task([&] { context.run([] { ticks(); }); });
    ticks();
    CHECK_THROWS_AS(context.run([] {}), jumpcut::RuntimeError);
    await(inside);
    context.run([] {});
    await(create_task(
        [&] {
          CHECK_THROWS_AS(context.run([] {}), jumpcut::RuntimeError);
          Context().run([&] { CHECK_THROWS_AS(context.run([] {}), jumpcut::RuntimeError); });
        },
        {.context = &context}));
    context.run([] {});
  });
}

TEST_CASE("Context.copy has the values of the moment, and its own from then on") {
  apart([] {
    const Context context;
    context.run([] { who.set("first"); });
    const Context copy = context.copy();
    context.run([] { who.set("second"); });
    CHECK(copy.run([] { return who.get(); }) == "first");
    copy.run([] { who.set("third"); });
    CHECK(context.run([] { return who.get(); }) == "second");
  });
}

TEST_CASE("a task that waits inside Context.run goes on in that context, others in theirs") {
  on_loop([] {
    who.set("main");
    auto task = create_task([] {
      Context().run([] {
        who.set("inside");
        ticks(2);
        CHECK(who.get() == "inside");
      });
      CHECK(who.get() == "main");
    });
    ticks();
    CHECK(who.get() == "main");
    await(task);
  });
}

TEST_CASE("a task has a copy of its creator's values, of when it was created") {
  on_loop([] {
    who.set("creator");
    auto task = create_task([] {
      CHECK(who.get() == "creator");
      who.set("task");
      ticks();
      CHECK(who.get() == "task");
    });
    who.set("later");
    await(task);
    CHECK(who.get() == "later");
  });
}

TEST_CASE("an eager task has a copy too") {
  on_loop([] {
    who.set("creator");
    await(create_task(
        [] {
          CHECK(who.get() == "creator");
          who.set("task");
        },
        {.eager_start = true}));
    CHECK(who.get() == "creator");
  });
}

TEST_CASE("tasks that are given one context share it") {
  on_loop([] {
    const Context context;
    await(create_task([] { who.set("first"); }, {.context = &context}));
    await(create_task([] { CHECK(who.get() == "first"); }, {.context = &context}));
    CHECK(context.run([] { return who.get(); }) == "first");
    CHECK(who.get() == "nobody");
  });
}

TEST_CASE("a context outlives the tasks that share it, and they outlive its handle") {
  on_loop([] {
    auto context = std::make_optional<Context>();
    auto task = create_task(
        [] {
          ticks();
          who.set("task");
          CHECK(who.get() == "task");
        },
        {.context = &*context});
    context.reset();
    await(task);
  });
}

TEST_CASE("callbacks see the values of when they were registered, each in a copy of its own") {
  on_loop([] {
    Loop& loop = get_running_loop();
    std::vector<std::string> seen;
    const auto note = [&] {
      seen.push_back(who.get());
      who.set("a callback");
    };
    auto future = loop.create_future<>();
    who.set("call_soon");
    loop.call_soon(note);
    loop.call_soon(note);
    who.set("call_later");
    loop.call_later(0s, note);
    who.set("call_at");
    loop.call_at(loop.time() + 1s, note);
    who.set("call_soon_threadsafe");
    loop.call_soon_threadsafe(note);
    who.set("add_done_callback");
    future.add_done_callback(note);
    who.set("main");
    future.set_result();
    jumpcut::sleep(2s);
    CHECK(seen == std::vector<std::string>{"call_soon", "call_soon", "call_soon_threadsafe",
                                           "add_done_callback", "call_later", "call_at"});
    CHECK(who.get() == "main");
  });
}

TEST_CASE("a callback that is added to a future that is done sees the values of then") {
  on_loop([] {
    auto future = get_running_loop().create_future<>();
    future.set_result();
    std::string seen;
    who.set("registered");
    future.add_done_callback([&] { seen = who.get(); });
    who.set("main");
    ticks();
    CHECK(seen == "registered");
  });
}

TEST_CASE("a reader keeps one context from call to call, that of when it was added") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  REQUIRE(write(ends[1], "x", 1) == 1);
  on_loop([&] {
    Loop& loop = get_running_loop();
    std::vector<std::string> seen;
    who.set("added");
    loop.add_reader(ends[0], [&] {
      seen.push_back(who.get());
      who.set("called");
    });
    loop.add_writer(ends[1], [&] {
      seen.push_back("writer: " + who.get());
      loop.remove_writer(ends[1]);
    });
    who.set("main");
    ticks(3);  // a task's turn comes before those of descriptors
    loop.remove_reader(ends[0]);
    REQUIRE(seen.size() == 3);
    CHECK(std::vector<std::string>(seen.begin(), seen.end()) ==
          (seen[0] == "added" ? std::vector<std::string>{"added", "writer: added", "called"}
                              : std::vector<std::string>{"writer: added", "added", "called"}));
    CHECK(who.get() == "main");
  });
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a post from another thread has that thread's values") {
  on_loop([] {
    Loop& loop = get_running_loop();
    who.set("main");
    auto done = loop.create_future<std::string>();
    std::thread([&] {
      CHECK(who.get() == "nobody");
      who.set("thread");
      loop.call_soon_threadsafe([done] { done.set_result(who.get()); });
      who.set("thread, later");
    }).join();
    CHECK(await(done) == "thread");
  });
}

TEST_CASE("to_thread takes the values along, and brings none back; run_in_executor takes none") {
  on_loop([] {
    who.set("main");
    CHECK(jumpcut::to_thread([] {
            std::string seen = who.get();
            who.set("thread");
            return seen;
          }) == "main");
    CHECK(who.get() == "main");
    CHECK(await(jumpcut::run_in_executor(nullptr, [] { return who.get(); })) == "nobody");
  });
}

TEST_CASE("run_coroutine_threadsafe starts its task with the caller's values") {
  on_loop([] {
    Loop& loop = get_running_loop();
    who.set("main");
    jumpcut::ThreadFuture<std::string> result;
    std::thread([&] {
      who.set("thread");
      result = jumpcut::run_coroutine_threadsafe([] { return who.get(); }, loop);
    }).join();
    CHECK(result.get() == "thread");
  });
}

TEST_CASE("a generator sees and changes the values of the task that asks") {
  on_loop([] {
    Generator<std::string> generator([](jumpcut::Yield<std::string>& yield) {
      yield(who.get());
      who.set("generator");
      yield(who.get());
      yield(who.get());
    });
    who.set("first");
    CHECK(generator.next() == "first");
    CHECK(generator.next() == "generator");
    CHECK(who.get() == "generator");
    await(create_task([&] {
      who.set("second");
      CHECK(generator.next() == "second");
    }));
    CHECK(who.get() == "generator");
  });
}

TEST_CASE("what the loop itself reports is told outside the context of the callback before") {
  jumpcut::VirtualClock clock;
  jumpcut::RunOptions options;
  options.clock = &clock;
  options.debug = true;
  const auto body = [&] {
    std::string seen;
    get_running_loop().set_exception_handler(
        [&](const jumpcut::ErrorContext&) { seen += who.get() + " "; });
    const auto handle = get_running_loop().call_soon([&] {
      who.set("callback");
      clock.advance(1s);  // a slow step, which is reported when it is over
    });
    ticks(3);
    CHECK(seen == "nobody ");
  };
  jumpcut::run(body, options);
}

TEST_CASE("each thread has values of its own outside a loop, and run begins with a copy of them") {
  std::thread([] {
    who.set("thread");
    std::thread([] { CHECK(who.get() == "nobody"); }).join();
    on_loop([] {
      CHECK(who.get() == "thread");
      who.set("main");
    });
    CHECK(who.get() == "thread");
    Loop loop;
    std::string seen;
    loop.call_soon([&] {
      seen = who.get();
      loop.stop();
    });
    who.set("after");
    loop.run_forever();
    CHECK(seen == "thread");
  }).join();
}

TEST_CASE("a value lives as long as a context that holds it") {
  ContextVar<std::shared_ptr<int>> shared("shared", nullptr);
  const auto value = std::make_shared<int>(1);
  on_loop([&] {
    auto handle = get_running_loop().call_later(1h, [] {});
    CHECK(value.use_count() == 1);
    auto task = create_task([&] {
      shared.set(value);
      handle.cancel();
      get_running_loop().call_soon([] {});  // with a copy of the context
      CHECK(value.use_count() == 2);        // which shares what was bound
    });
    await(task);
    ticks();
    task = jumpcut::Task<>();
    CHECK(value.use_count() == 1);
  });
}

TEST_CASE("a context goes when neither it nor a task of it is left") {
  ContextVar<std::shared_ptr<int>> shared("shared", nullptr);
  const auto value = std::make_shared<int>(1);
  on_loop([&] {
    {
      const Context context;
      context.run([&] { shared.set(value); });
      await(create_task([] {}, {.context = &context}));
      CHECK(value.use_count() == 2);
    }
    ticks();
    CHECK(value.use_count() == 1);
  });
}

TEST_CASE("a generator that is destroyed cleans up in the context of who does that") {
  on_loop([] {
    std::string seen;
    auto generator = std::make_unique<Generator<int>>([&](jumpcut::Yield<int>& yield) {
      struct Leaving {
        std::string& seen;
        ~Leaving() { seen = who.get(); }
      } const leaving{seen};
      yield(1);
    });
    const auto first = create_task([&] {
      who.set("first");
      generator->next();
    });
    await(first);
    who.set("last");
    generator.reset();
    CHECK(seen == "last");
  });
}

TEST_CASE("many variables in one context do not get mixed up") {
  apart([] {
    std::vector<std::unique_ptr<ContextVar<int>>> all;
    for (int i = 0; i < 100; ++i) all.push_back(std::make_unique<ContextVar<int>>("one", -1));
    std::vector<ContextVar<int>::Token> tokens;
    for (int i = 0; i < 100; ++i) tokens.push_back(all[static_cast<std::size_t>(i)]->set(i));
    for (int i = 0; i < 100; ++i) CHECK(all[static_cast<std::size_t>(i)]->get() == i);
    for (std::size_t i = 0; i < 100; i += 2) all[i]->reset(tokens[i]);
    for (int i = 0; i < 100; ++i) {
      CHECK(all[static_cast<std::size_t>(i)]->get() == (i % 2 == 0 ? -1 : i));
    }
  });
}

TEST_CASE("what a task's context holds goes with the task, whoever set it") {
  ContextVar<std::shared_ptr<int>> shared("shared", nullptr);
  const auto value = std::make_shared<int>(1);
  const auto set = [&] { shared.set(value); };
  const auto generates = [set](jumpcut::Yield<int>& yield) {
    struct Leaving {
      std::function<void()> set;
      ~Leaving() { set(); }
    } const leaving{set};
    yield(1);
  };
  const std::vector<std::function<void()>> ways = {
      set,
      [&] {
        for (const int one : Generator<int>(generates)) static_cast<void>(one);
      },
      [&] { Generator<int>(generates).next(); },  // destroyed half way
      [&] { await(create_task([] {}, {.name = "child"})), set(); },
      [&] { throw std::runtime_error("to the handler, which sets it in the task's context"); }};
  on_loop([&] {
    get_running_loop().set_exception_handler([&](const jumpcut::ErrorContext&) { set(); });
    for (std::size_t i = 0; i < ways.size(); ++i) {
      std::optional task(create_task([&way = ways[i]] { way(); }));
      ticks(4);
      INFO(i);
      CHECK(value.use_count() == 2);
      task.reset();
      CHECK(value.use_count() == 1);
    }
  });
}
