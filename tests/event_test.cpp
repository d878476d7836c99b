// jumpcut/event.hpp: whom set() wakes, and when.

#include <jumpcut/event.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

using jumpcut::create_task;
using jumpcut::Event;
using jumpcut::get_running_loop;
using jumpcut::RuntimeError;
using jumpcut::sleep;

namespace {

/// Tasks that wait for an event, and log their names then.
struct Waiters {
  Event event;
  std::string log;

  auto add(char name) {
    return create_task([this, name] {
      event.wait();
      log += name;
    });
  }
};

}  // namespace

TEST_CASE("an Event is not set when it is made; set and clear change that") {
  Event event;
  CHECK(!event.is_set());
  event.set();
  CHECK(event.is_set());
  event.set();
  CHECK(event.is_set());
  event.clear();
  CHECK(!event.is_set());
}

TEST_CASE("Event.wait returns at once if it is set, and does not switch") {
  on_loop([] {
    Event event;
    event.set();
    const OthersTurn others;
    event.wait();
    CHECK(!others.came());
  });
}

TEST_CASE("Event.set wakes waiters in the order they came") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b'), c = waiters.add('c');
    ticks();
    CHECK(waiters.log.empty());
    CHECK(waiters.event.n_waiting() == 3);
    waiters.event.set();
    CHECK(waiters.log.empty());
    ticks();
    CHECK(waiters.log == "abc");
    CHECK((a.done() && b.done() && c.done()));
    CHECK(waiters.event.n_waiting() == 0);
  });
}

TEST_CASE("who comes to an Event that was just set passes before those who were woken") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b');
    ticks();
    const auto c = waiters.add('c');
    waiters.event.set();
    ticks();
    CHECK(waiters.log == "cab");
    CHECK((a.done() && b.done() && c.done()));
  });
}

TEST_CASE("an Event that is set and cleared in one step wakes those who waited, all the same") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b'), c = waiters.add('c');
    ticks();
    waiters.event.set();
    waiters.event.clear();
    CHECK(!waiters.event.is_set());
    ticks();
    CHECK(waiters.log == "abc");
    CHECK((a.done() && b.done() && c.done()));
  });
}

TEST_CASE("an Event that is set, cleared and set twice wakes a waiter once") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a');
    ticks();
    waiters.event.set();
    waiters.event.clear();
    waiters.event.set();
    waiters.event.set();
    CHECK(waiters.event.n_waiting() == 1);
    ticks();
    CHECK(waiters.log == "a");
    CHECK(waiters.event.n_waiting() == 0);
    CHECK(a.done());
  });
}

TEST_CASE("who waits for an Event that is cleared again waits for the next set") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a');
    ticks();
    waiters.event.set();
    waiters.event.clear();
    const auto b = waiters.add('b');
    ticks(2);
    CHECK(waiters.log == "a");
    waiters.event.set();
    ticks();
    CHECK(waiters.log == "ab");
    CHECK((a.done() && b.done()));
  });
}

TEST_CASE("a task that is cancelled while it waits for an Event leaves no trace in it") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a');
    get_running_loop().call_soon([&] { a.cancel(); });
    CHECK(is_cancelled([&] { await(a); }));
    CHECK(waiters.event.n_waiting() == 0);
    CHECK(waiters.log.empty());
  });
}

TEST_CASE("Event.set passes over those who were cancelled") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a'), b = waiters.add('b'), c = waiters.add('c');
    ticks();
    b.cancel();
    waiters.event.set();
    ticks();
    CHECK(waiters.log == "ac");
    CHECK((a.done() && b.cancelled() && c.done()));
  });
}

TEST_CASE("a waiter that an Event has woken and that is then cancelled gets Cancelled") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a');
    ticks();
    waiters.event.set();
    a.cancel();
    ticks();
    CHECK(a.cancelled());
    CHECK(waiters.log.empty());
  });
}

TEST_CASE("a timer may set an Event") {
  on_loop([] {
    Event event;
    get_running_loop().call_later(1h, [&] { event.set(); });
    event.wait();
    CHECK(get_running_loop().time().time_since_epoch() == 1h);
  });
}

TEST_CASE("Event.wait outside a task is a RuntimeError, even if it is set") {
  Event event;
  event.set();
  CHECK_THROWS_WITH(event.wait(), Catch::Contains("Event.wait() outside a task"));
}

TEST_CASE("an Event belongs to the first loop whose task waits in it") {
  Event event;
  on_loop([&] {
    get_running_loop().call_soon([&] { event.set(); });
    event.wait();
  });
  on_loop([&] {
    event.wait();  // that doesn't wait
    event.clear();
    CHECK_THROWS_WITH(event.wait(), Catch::Contains("Event.wait(): it belongs to another loop"));
  });
}

TEST_CASE("Event.set by another thread than that of the waiting tasks is a RuntimeError") {
  on_loop([] {
    Waiters waiters;
    const auto a = waiters.add('a');
    ticks();
    bool refused = false;
    std::thread([&] {
      try {
        waiters.event.set();
      } catch (const RuntimeError&) {
        refused = true;
      }
    }).join();
    CHECK(refused);
    CHECK(!waiters.event.is_set());
    waiters.event.set();
    await(a);
  });
}

TEST_CASE("an Event may go as soon as it has woken everybody") {
  on_loop([] {
    std::optional<Event> event(std::in_place);
    int passed = 0;
    const auto wait = [&] {
      event->wait();
      ++passed;
    };
    const auto a = create_task(wait), b = create_task(wait);
    ticks();
    event->set();
    event.reset();
    await(a);
    await(b);
    CHECK(passed == 2);
  });
}

TEST_CASE("who was woken by an Event that is gone leaves another in its place alone") {
  on_loop([] {
    const auto event = std::make_unique<Event>();
    const auto wait = [&] { event->wait(); };
    const auto woken = create_task(wait);
    ticks();
    const auto waiting = create_task(wait);  // begins before the other goes on
    event->set();
    std::destroy_at(event.get());
    std::construct_at(event.get());
    ticks();
    CHECK(woken.done());
    const auto last = create_task(wait);
    ticks();
    event->set();
    await(waiting);
    await(last);
  });
}

TEST_CASE("an Event that is destroyed while a task waits in it ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      std::optional<Event> event(std::in_place);
      const auto task = create_task([&] { event->wait(); });
      ticks();
      event.reset();
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(
      ended.output,
      Catch::Contains("destroyed while 1 task waits in Event.wait(): cancel and await that"));
}
