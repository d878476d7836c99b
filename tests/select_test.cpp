#include <jumpcut/select.hpp>

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using namespace jumpcut;

namespace {

using Log = std::vector<std::string>;

void nothing() {}

}  // namespace

TEST_CASE("select does the first of the cases that can happen at once") {
  on_loop([] {
    Channel<int> one(1);
    Channel<int> two(1);
    two.send(2);
    int got = 0;
    auto receive = [&](int value) { got = value; };
    CHECK(select(on_receive(one, receive), on_receive(two, receive)) == 1);
    CHECK(got == 2);
    one.send(1);
    two.send(2);
    CHECK(select(on_receive(one, receive), on_receive(two, receive)) == 0);
    CHECK(got == 1);
    CHECK(two.size() == 1);
    CHECK(select(on_send(two, 5, nothing), on_send(one, 6, nothing)) == 1);
    CHECK(one.receive() == 6);
  });
}

TEST_CASE("select waits for what comes first, and leaves the other channels alone") {
  on_loop([] {
    Channel<int> one;
    Channel<int> two;
    Channel<int> three;
    Log log;
    auto selector = create_task([&] {
      return select(
          on_receive(one, [&](int value) { log.push_back("one " + std::to_string(value)); }),
          on_receive(two, [&](int value) { log.push_back("two " + std::to_string(value)); }),
          on_send(three, 3, [&] { log.push_back("three"); }));
    });
    settle();
    CHECK(one.waiting_receivers() == 1);
    CHECK(three.waiting_senders() == 1);
    two.send(7);
    CHECK_FALSE(one.try_send(1));  // it has its value already
    CHECK(three.try_receive() == std::nullopt);
    CHECK(await(selector) == 1);
    CHECK(log == Log{"two 7"});
    CHECK(one.waiting_receivers() == 0);
    CHECK(three.waiting_senders() == 0);
  });
}

TEST_CASE("select sends a value when somebody takes it") {
  on_loop([] {
    Channel<std::unique_ptr<int>> channel;
    auto value = std::make_unique<int>(4);
    auto selector = create_task(
        [&] { return select(on_send(channel, std::move(value), nothing), after(1h, nothing)); });
    settle();
    CHECK(value != nullptr);
    CHECK(*channel.receive() == 4);
    CHECK(await(selector) == 0);
    CHECK(value == nullptr);
  });
}

TEST_CASE("select keeps its place among those who wait at a channel") {
  on_loop([] {
    Channel<int> channel;
    Log log;
    auto take = [&](const char* name) {
      return [&log, name](int value) { log.push_back(name + std::to_string(value)); };
    };
    auto one = create_task([&] { take("a")(channel.receive()); });
    auto two = create_task([&] { select(on_receive(channel, take("b")), after(1h, nothing)); });
    auto three = create_task([&] { take("c")(channel.receive()); });
    settle();
    for (int i = 1; i <= 3; ++i) channel.send(i);
    await(one);
    await(two);
    await(three);
    CHECK(log == Log{"a1", "b2", "c3"});
  });
}

TEST_CASE("select happens when a time has come, the soonest first") {
  on_loop([] {
    Channel<int> channel;
    const auto before = get_running_loop().time();
    CHECK(select(on_receive(channel, [](int) {}), after(3s, nothing), after(2s, nothing),
                 after(2s, nothing)) == 2);
    CHECK(get_running_loop().time() - before == 2s);
    CHECK(get_running_loop().stats().timers == 0);
    CHECK(select(after(0s, nothing)) == 0);
  });
}

TEST_CASE("select happens when a future or task is done") {
  on_loop([] {
    Future<int> future;
    Task<int> task = create_task([] {
      sleep(1s);
      return 5;
    });
    int got = 0;
    CHECK(select(on_done(future, nothing),
                 on_done(task, [&](const Task<int>& done) { got = done.result(); })) == 1);
    CHECK(got == 5);
    CHECK(select(on_done(future, nothing), on_done(task, nothing)) == 1);
    future.set_result(1);
    CHECK(select(on_done(future, [&](auto done) { got = done.result(); }), after(1s, nothing)) ==
          0);
    CHECK(got == 1);

    Future<> late;
    CHECK(select(on_done(late, nothing), after(1s, nothing)) == 1);
    late.set_result();
    checkpoint();
    checkpoint();
  });
}

TEST_CASE("select does nothing twice when several become possible in one tick") {
  on_loop([] {
    Channel<int> channel;
    Future<> future;
    Log log;
    auto selector = create_task([&] {
      select(on_done(future, [&] { log.push_back("future"); }),
             on_receive(channel, [&](int) { log.push_back("channel"); }),
             after(1s, [&] { log.push_back("timer"); }));
    });
    sleep(1s);
    CHECK(log.empty());
    future.set_result();
    const bool taken = channel.try_send(1);
    await(selector);
    CHECK(log.size() == 1);
    CHECK(taken == (log[0] == "channel"));
    CHECK(channel.empty());
  });
}

TEST_CASE("select with otherwise never waits") {
  on_loop([] {
    Channel<int> channel(1);
    CHECK(select(on_receive(channel, [](int) {}), otherwise(nothing)) == 1);
    channel.send(1);
    CHECK(select(otherwise(nothing), on_receive(channel, [](int) {})) == 1);
  });
}

TEST_CASE("select is woken by a channel that is closed") {
  on_loop([] {
    Channel<int> channel;
    auto receiver = create_task([&] { select(on_receive(channel, [](int) {})); });
    auto nexter = create_task([&] {
      bool ended = false;
      select(on_next(channel, [&](std::optional<int> value) { ended = !value.has_value(); }));
      return ended;
    });
    Channel<int> full;
    auto sender = create_task([&] { select(on_send(full, 1, nothing), after(1h, nothing)); });
    settle();
    channel.close();
    full.close();
    CHECK_THROWS_AS(await(receiver), ChannelClosed);
    CHECK(await(nexter));
    CHECK_THROWS_AS(await(sender), ChannelClosed);
    CHECK_THROWS_AS(select(on_receive(channel, [](int) {})), ChannelClosed);
    CHECK_THROWS_AS(select(on_send(channel, 1, nothing)), ChannelClosed);
    CHECK(select(on_next(channel, [](auto value) { CHECK_FALSE(value.has_value()); })) == 0);
  });
}

TEST_CASE("select with on_next gets values as well") {
  on_loop([] {
    Channel<int> channel(1);
    int got = 0;
    auto take = [&](std::optional<int> value) { got = *value; };
    channel.send(1);
    select(on_next(channel, take));
    CHECK(got == 1);
    auto selector = create_task([&] { select(on_next(channel, take)); });
    settle();
    channel.send(2);
    await(selector);
    CHECK(got == 2);
  });
}

TEST_CASE("select that is cancelled takes nothing") {
  on_loop([] {
    Channel<int> incoming(1);
    Channel<std::unique_ptr<int>> outgoing;
    Future<> future;
    auto value = std::make_unique<int>(1);
    auto selector = create_task([&] {
      select(on_receive(incoming, [](int) {}), on_send(outgoing, std::move(value), nothing),
             on_done(future, nothing), after(1h, nothing));
    });
    settle();
    selector.cancel();
    CHECK_THROWS_AS(await(selector), Cancelled);
    CHECK(incoming.waiting_receivers() == 0);
    CHECK(outgoing.waiting_senders() == 0);
    CHECK(value != nullptr);
    CHECK(get_running_loop().stats().timers == 0);
    future.set_result();
    checkpoint();
  });
}

TEST_CASE("select that is cancelled after it was handed a value gives it back") {
  on_loop([] {
    Channel<int> channel(2);
    auto selector = create_task([&] {
      select(on_receive(channel, [](int) { FAIL("it was cancelled"); }), after(1h, nothing));
    });
    settle();
    channel.send(1);
    channel.send(2);
    selector.cancel();
    CHECK_THROWS_AS(await(selector), Cancelled);
    CHECK(channel.receive() == 1);
    CHECK(channel.receive() == 2);
  });
}

TEST_CASE("select whose value was taken has happened, and is cancelled at its next wait") {
  on_loop([] {
    Channel<int> channel;
    Log log;
    auto selector = create_task([&] {
      select(on_send(channel, 1, [&] { log.push_back("sent"); }), after(1h, nothing));
      log.push_back("goes on");
      checkpoint();
      log.push_back("too far");
    });
    settle();
    CHECK(channel.receive() == 1);
    selector.cancel();
    CHECK_THROWS_AS(await(selector), Cancelled);
    CHECK(log == Log{"sent", "goes on"});
  });
}

TEST_CASE("select may send to and receive from the same channel, but not to itself") {
  on_loop([] {
    Channel<int> channel;
    auto both = [&] {
      return select(on_receive(channel, [](int) {}), on_send(channel, 1, nothing),
                    after(1h, nothing));
    };
    auto one = create_task(both);
    settle();
    CHECK_FALSE(one.done());
    auto two = create_task(both);
    const std::size_t first = await(one);
    CHECK(first + await(two) == 1);
  });
}

TEST_CASE("select's functions may wait and throw, after all else is withdrawn") {
  on_loop([] {
    Channel<int> channel(1);
    channel.send(1);
    CHECK_THROWS_AS(select(on_receive(channel,
                                      [](int) {
                                        sleep(1s);
                                        throw std::range_error("mine");
                                      }),
                           after(1ms, nothing)),
                    std::range_error);
    CHECK(channel.empty());
  });
}

TEST_CASE("select copies a value that it is not given for good") {
  on_loop([] {
    Channel<std::string> channel(1);
    const std::string text = "a text that is longer than what fits without memory";
    select(on_send(channel, text, nothing));
    CHECK(channel.receive() == text);
  });
}

TEST_CASE("select outside a task says so") {
  Channel<int> channel(1);
  channel.send(1);
  CHECK_THROWS_AS(select(on_receive(channel, [](int) {})), RuntimeError);
}
