// jumpcut/barrier.hpp: rounds, reset and abort.

#include <jumpcut/barrier.hpp>

#include "child.hpp"
#include "on_loop.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::Barrier;
using jumpcut::BrokenBarrierError;
using jumpcut::create_task;
using jumpcut::get_running_loop;
using jumpcut::RuntimeError;
using jumpcut::sleep;
using jumpcut::Task;
using jumpcut::ValueError;

namespace {

/// So many tasks of one function.
struct Crowd {
  std::vector<Task<>> tasks;

  template <class Function>
  Crowd(int count, Function function) {
    for (int i = 0; i < count; ++i) tasks.push_back(create_task(function));
  }
  void wait() const {
    for (const Task<>& task : tasks) await(task);
  }
};

/// Whether it throws BrokenBarrierError.
template <class Function>
bool is_broken(Function function) {
  try {
    function();
  } catch (const BrokenBarrierError&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a Barrier knows its parties, and is empty and not broken when it is made") {
  Barrier barrier(5);
  CHECK(barrier.parties() == 5);
  CHECK(barrier.n_waiting() == 0);
  CHECK(!barrier.broken());
}

TEST_CASE("a Barrier for less than one party is a ValueError") {
  CHECK_THROWS_WITH(Barrier(0), "a barrier is for 1 party or more, not for 0");
  CHECK_THROWS_AS(Barrier(-4), ValueError);
}

TEST_CASE("a Barrier for one party never waits") {
  on_loop([] {
    Barrier barrier(1);
    const OthersTurn others;
    CHECK(barrier.wait() == 0);
    CHECK(barrier.wait() == 0);
    CHECK(!others.came());
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("Barrier.wait returns how many came before; the last goes on first, then the others") {
  on_loop([] {
    Barrier barrier(3);
    std::vector<std::size_t> order;
    Crowd(3, [&] { order.push_back(barrier.wait()); }).wait();
    CHECK(order == std::vector<std::size_t>{2, 0, 1});
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("Barrier.n_waiting counts those that have come") {
  on_loop([] {
    Barrier barrier(3);
    const auto wait = [&] { barrier.wait(); };
    const auto a = create_task(wait);
    ticks();
    CHECK(barrier.n_waiting() == 1);
    const auto b = create_task(wait);
    ticks();
    CHECK(barrier.n_waiting() == 2);
    const auto c = create_task(wait);
    ticks();
    CHECK(c.done());
    CHECK(!a.done());
    CHECK(barrier.n_waiting() == 0);  // they leave
    await(a);
    await(b);
    CHECK(!barrier.broken());
  });
}

TEST_CASE("a Barrier can be used again and again") {
  on_loop([] {
    Barrier barrier(5);
    int first = 0, second = 0;
    std::vector<std::size_t> indexes;
    Crowd(5, [&] {
      barrier.wait();
      ++first;
      indexes.push_back(barrier.wait());
      CHECK(first == 5);
      ++second;
    }).wait();
    CHECK(second == 5);
    std::sort(indexes.begin(), indexes.end());
    CHECK(indexes == std::vector<std::size_t>{0, 1, 2, 3, 4});
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("who comes while a round leaves a Barrier waits for the next round") {
  on_loop([] {
    constexpr int parties = 5, again = 2;
    Barrier barrier(parties), others(parties - again);
    int left = again;
    // The three that go to the other barrier pass it only if they are three.
    Crowd(parties, [&] {
      barrier.wait();
      if (left > 0) {
        --left;
      } else {
        others.wait();
      }
      barrier.wait();
    }).wait();
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("a task that is cancelled in a Barrier does not count any more") {
  on_loop([] {
    Barrier barrier(3);
    int passed = 0;
    const auto wait = [&] {
      barrier.wait();
      ++passed;
    };
    const auto a = create_task(wait), b = create_task(wait);
    ticks();
    CHECK(barrier.n_waiting() == 2);
    a.cancel();
    ticks();
    CHECK(barrier.n_waiting() == 1);
    CHECK(a.cancelled());
    const auto c = create_task(wait);
    ticks();
    CHECK(barrier.n_waiting() == 2);
    const auto d = create_task(wait);
    for (const Task<>& task : {b, c, d}) await(task);
    CHECK(passed == 3);
    CHECK(!barrier.broken());
  });
}

TEST_CASE("Barrier.reset of an empty barrier leaves it as it is") {
  on_loop([] {
    Barrier barrier(1);
    barrier.reset();
    CHECK(barrier.n_waiting() == 0);
    CHECK(!barrier.broken());
    CHECK(barrier.wait() == 0);
  });
}

TEST_CASE("Barrier.reset throws BrokenBarrierError in those who wait, and it can be used again") {
  on_loop([] {
    Barrier barrier(5);
    int broken = 0, passed = 0;
    const Crowd crowd(4, [&] { broken += is_broken([&] { barrier.wait(); }) ? 1 : 0; });
    ticks();
    barrier.reset();
    crowd.wait();
    CHECK(broken == 4);
    CHECK(barrier.n_waiting() == 0);
    CHECK(!barrier.broken());
    Crowd(5, [&] {
      barrier.wait();
      ++passed;
    }).wait();
    CHECK(passed == 5);
  });
}

TEST_CASE("Barrier.reset breaks the round for those who have not left yet") {
  on_loop([] {
    Barrier barrier(5);
    int left = 0, broken = 0;
    Crowd(5, [&] {
      if (is_broken([&] { barrier.wait(); })) {
        ++broken;
      } else if (++left == 3) {
        barrier.reset();
      }
    }).wait();
    CHECK(left == 3);
    CHECK(broken == 2);
    CHECK(barrier.n_waiting() == 0);
    CHECK(!barrier.broken());
  });
}

TEST_CASE("Barrier.reset does not touch those who wait for the round to leave") {
  on_loop([] {
    constexpr int parties = 5, newcomers = parties / 2;
    Barrier barrier(parties);
    int broken = 0, broken_newcomers = 0, count = 0;
    Crowd(parties, [&] {
      if (is_broken([&] { barrier.wait(); })) {
        ++broken;
        barrier.wait();
      } else if (++count > newcomers) {
        barrier.reset();
        barrier.wait();
      } else if (is_broken([&] { barrier.wait(); })) {
        ++broken_newcomers;
      }
    }).wait();
    CHECK(broken == newcomers);
    CHECK(broken_newcomers == 0);
    CHECK(barrier.n_waiting() == 0);
    CHECK(!barrier.broken());
  });
}

TEST_CASE("those whom Barrier.reset sent away can come back at once") {
  on_loop([] {
    Barrier barrier(5);
    int broken = 0, passed = 0;
    const Crowd crowd(4, [&] {
      broken += is_broken([&] { barrier.wait(); }) ? 1 : 0;
      barrier.wait();
      ++passed;
    });
    const auto reset = create_task([&] { barrier.reset(); });
    ticks();
    const auto last = create_task([&] {
      barrier.wait();
      ++passed;
    });
    crowd.wait();
    await(last);
    CHECK(reset.done());
    CHECK(broken == 4);
    CHECK(passed == 5);
    CHECK(!barrier.broken());
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("Barrier.reset by the last that leaves breaks nobody") {
  on_loop([] {
    constexpr int parties = 5;
    Barrier barrier(parties);
    int count = 0, second = 0, broken = 0, third = 0;
    Crowd(parties, [&] {
      barrier.wait();
      if (++count == parties) {
        barrier.reset();
        barrier.wait();
      } else if (is_broken([&] { barrier.wait(); })) {
        ++broken;
      } else {
        ++second;
      }
      barrier.wait();
      ++third;
    }).wait();
    CHECK(second == parties - 1);
    CHECK(broken == 0);
    CHECK(third == parties);
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("Barrier.abort breaks it for those who wait, and for those who come") {
  on_loop([] {
    Barrier barrier(3);
    int broken = 0;
    const Crowd crowd(2, [&] { broken += is_broken([&] { barrier.wait(); }) ? 1 : 0; });
    ticks();
    barrier.abort();
    CHECK(barrier.broken());
    CHECK(barrier.n_waiting() == 0);
    crowd.wait();
    CHECK(broken == 2);
    CHECK_THROWS_WITH(barrier.wait(), Catch::Contains("aborted; reset() mends it"));
    CHECK(barrier.broken());
  });
}

TEST_CASE("Barrier.reset mends a barrier that was aborted") {
  on_loop([] {
    Barrier barrier(1);
    barrier.abort();
    CHECK(barrier.broken());
    barrier.reset();
    CHECK(!barrier.broken());
    CHECK(barrier.wait() == 0);
  });
}

TEST_CASE("Barrier.abort while a round leaves reaches those inside and the newcomers") {
  on_loop([] {
    constexpr int parties = 5, newcomers = parties / 2;
    Barrier barrier(parties);
    int inside = 0, came = 0, count = 0;
    Crowd(parties, [&] {
      if (is_broken([&] { barrier.wait(); })) {
        ++inside;
      } else if (++count > newcomers) {
        barrier.abort();
      } else if (is_broken([&] { barrier.wait(); })) {
        ++came;
      }
    }).wait();
    CHECK(barrier.broken());
    CHECK(inside == newcomers);
    CHECK(came == parties - newcomers - 1);
  });
}

TEST_CASE("a task that fails behind a Barrier can abort it for the others") {
  on_loop([] {
    constexpr std::size_t parties = 5;
    Barrier barrier(parties);
    int passed = 0;
    std::size_t broken = 0;
    Crowd(parties, [&] {
      try {
        if (barrier.wait() == parties / 2) throw 1;
        barrier.wait();
        ++passed;
      } catch (const BrokenBarrierError&) {
        ++broken;
      } catch (int) {
        barrier.abort();
      }
    }).wait();
    CHECK(barrier.broken());
    CHECK(passed == 0);
    CHECK(broken == parties - 1);
  });
}

TEST_CASE("tasks that meet at a second Barrier can mend the first together") {
  on_loop([] {
    constexpr std::size_t parties = 5;
    Barrier first(parties), second(parties);
    std::size_t broken = 0, passed = 0, wrong = 0;
    Crowd(parties, [&] {
      try {
        if (first.wait() == parties / 2) throw 1;
        first.wait();
        ++wrong;
      } catch (const BrokenBarrierError&) {
        ++broken;
      } catch (int) {
        first.abort();
      }
      if (second.wait() == parties / 2) first.reset();
      second.wait();
      first.wait();
      ++passed;
    }).wait();
    CHECK(wrong == 0);
    CHECK(broken == parties - 1);
    CHECK(passed == parties);
    CHECK(!first.broken());
  });
}

TEST_CASE("a BrokenBarrierError is a RuntimeError") {
  on_loop([] {
    Barrier barrier(1);
    barrier.abort();
    CHECK_THROWS_AS(barrier.wait(), RuntimeError);
  });
}

TEST_CASE("what a task waits for is shown as Barrier.wait()") {
  on_loop([] {
    Barrier barrier(2);
    const auto task = create_task([&] { barrier.wait(); });
    ticks();
    CHECK(task.waiting_for() == "Barrier.wait()");
    CHECK(all_cancelled(task));
  });
}

TEST_CASE("Barrier.wait outside a task is a RuntimeError") {
  Barrier barrier(1);
  CHECK_THROWS_WITH(barrier.wait(), Catch::Contains("Barrier.wait() outside a task"));
}

TEST_CASE("a Barrier belongs to the first loop whose task waits in it") {
  Barrier barrier(2);
  on_loop([&] {
    const auto task = create_task([&] { barrier.wait(); });
    barrier.wait();
    await(task);
  });
  on_loop([&] {
    CHECK_THROWS_WITH(barrier.wait(), Catch::Contains("it belongs to another loop"));
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE("a Barrier that is destroyed while a task waits in it ends the program and says so") {
  const Ended ended = in_child([] {
    on_loop([] {
      std::optional<Barrier> barrier(2);
      const auto task = create_task([&] { barrier->wait(); });
      ticks();
      barrier.reset();
    });
  });
  CHECK(ended.signal == SIGABRT);
  CHECK_THAT(ended.output, Catch::Contains("destroyed while 1 task waits in Barrier.wait()"));
}
