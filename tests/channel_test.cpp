#include <jumpcut/channel.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

using namespace jumpcut;

namespace {

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE("Channel.send of a rendezvous returns once a receiver has the value") {
  on_loop([] {
    Log log;
    Channel<int> channel;
    auto sender = create_task([&] {
      channel.send(7);
      log.push_back("sent");
    });
    settle();
    CHECK(log.empty());
    CHECK(channel.waiting_senders() == 1);
    CHECK(channel.empty());
    CHECK(channel.receive() == 7);
    await(sender);
    CHECK(log == Log{"sent"});
    CHECK(channel.waiting_senders() == 0);
  });
}

TEST_CASE("Channel.send to a receiver that waits returns at once") {
  on_loop([] {
    Channel<int> channel;
    auto receiver = create_task([&] { return channel.receive(); });
    settle();
    CHECK(channel.waiting_receivers() == 1);
    channel.send(7);
    CHECK_FALSE(receiver.done());
    CHECK(channel.waiting_receivers() == 0);
    CHECK(await(receiver) == 7);
  });
}

TEST_CASE("Channel.send waits only if the channel is full") {
  on_loop([] {
    Channel<int> channel(2);
    CHECK(channel.capacity() == 2);
    channel.send(1);
    channel.send(2);
    CHECK(channel.size() == 2);
    auto sender = create_task([&] { channel.send(3); });
    settle();
    CHECK_FALSE(sender.done());
    CHECK(channel.receive() == 1);
    CHECK(channel.size() == 2);  // the sender's value took the place
    await(sender);
    CHECK(channel.receive() == 2);
    CHECK(channel.receive() == 3);
    CHECK(channel.empty());
  });
}

TEST_CASE("Channel.send and Channel.receive don't switch when they needn't wait") {
  on_loop([] {
    Channel<int> channel(1);
    bool ran = false;
    auto other = create_task([&] { ran = true; });
    channel.send(1);
    CHECK(channel.receive() == 1);
    CHECK_FALSE(ran);
    await(other);
  });
}

TEST_CASE("Channel values come in the order in which they were sent, to receivers in turn") {
  on_loop([] {
    Channel<int> channel;
    Log log;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
      tasks.push_back(create_task([&, name] {
        const int value = channel.receive();
        log.push_back(name + std::to_string(value));
      }));
    }
    settle();
    for (int i = 1; i <= 3; ++i) channel.send(i);
    for (auto& task : tasks) await(task);
    CHECK(log == Log{"a1", "b2", "c3"});
  });
}

TEST_CASE("Channel.receive by a running task can't steal what was handed to another") {
  on_loop([] {
    Channel<int> channel(4);
    auto first = create_task([&] { return channel.receive(); });
    settle();
    channel.send(1);
    CHECK(channel.try_receive() == std::nullopt);
    channel.send(2);
    CHECK(channel.receive() == 2);
    CHECK(await(first) == 1);
  });
}

TEST_CASE("Channel.close ends receivers once what is left is taken") {
  on_loop([] {
    Channel<int> channel(4);
    channel.send(1);
    channel.send(2);
    channel.close();
    channel.close();
    CHECK(channel.is_closed());
    CHECK(channel.receive() == 1);
    CHECK(channel.next() == 2);
    CHECK(channel.next() == std::nullopt);
    CHECK(channel.try_receive() == std::nullopt);
    CHECK_THROWS_AS(channel.receive(), ChannelClosed);
    CHECK_THROWS_AS(channel.send(3), ChannelClosed);
    CHECK_THROWS_AS(channel.try_send(3), ChannelClosed);
  });
}

TEST_CASE("Channel.close wakes those who wait") {
  on_loop([] {
    Channel<int> receiving;
    auto receiver = create_task([&] { return receiving.receive(); });
    auto nexter = create_task([&] { return receiving.next(); });
    Channel<std::string> sending;
    std::string kept = "kept";
    auto sender = create_task([&] { sending.send(std::move(kept)); });
    settle();
    receiving.close();
    sending.close();
    CHECK_THROWS_AS(await(receiver), ChannelClosed);
    CHECK(await(nexter) == std::nullopt);
    CHECK_THROWS_AS(await(sender), ChannelClosed);
    CHECK(kept == "kept");
  });
}

TEST_CASE("Channel in a range-for gives each value until it is closed and empty") {
  on_loop([] {
    Channel<int> channel;
    auto producer = create_task([&] {
      for (int i = 0; i < 4; ++i) channel.send(i);
      channel.close();
    });
    std::vector<int> got;
    for (int& value : channel) got.push_back(value);
    CHECK(got == std::vector<int>{0, 1, 2, 3});
    await(producer);
  });
}

TEST_CASE("Channel.try_send and try_receive never wait") {
  on_loop([] {
    Channel<int> channel(1);
    CHECK(channel.try_receive() == std::nullopt);
    CHECK(channel.try_send(1));
    CHECK_FALSE(channel.try_send(2));
    CHECK(channel.try_receive() == 1);
    Channel<int> rendezvous;
    CHECK_FALSE(rendezvous.try_send(1));
    auto sender = create_task([&] { rendezvous.send(5); });
    settle();
    CHECK(rendezvous.try_receive() == 5);
    await(sender);
  });
}

TEST_CASE("Channel carries values that can only be moved, and leaves one that is not sent") {
  on_loop([] {
    Channel<std::unique_ptr<int>> channel(1);
    channel.send(std::make_unique<int>(1));
    auto second = std::make_unique<int>(2);
    CHECK_FALSE(channel.try_send(std::move(second)));
    CHECK(second != nullptr);
    auto sender = create_task([&] { channel.send(std::move(second)); });
    settle();
    sender.cancel();
    CHECK_THROWS_AS(await(sender), Cancelled);
    CHECK(*second == 2);
    CHECK(**channel.next() == 1);
    CHECK(channel.empty());
  });
}

TEST_CASE("Channel.receive that is cancelled leaves its turn to the next") {
  on_loop([] {
    Channel<int> channel;
    auto first = create_task([&] { return channel.receive(); });
    auto second = create_task([&] { return channel.receive(); });
    settle();
    first.cancel();
    channel.send(1);  // the first has not gone on yet
    CHECK(await(second) == 1);
    CHECK_THROWS_AS(await(first), Cancelled);
    auto sender = create_task([&] { channel.send(2); });
    settle();
    sender.cancel();
    CHECK(channel.try_receive() == std::nullopt);
    CHECK_THROWS_AS(await(sender), Cancelled);
  });
}

TEST_CASE("Channel.receive that is cancelled after it was handed a value gives it back in order") {
  on_loop([] {
    Channel<int> channel(8);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(create_task([&] { return channel.receive(); }));
    settle();
    for (int i = 1; i <= 6; ++i) channel.send(i);  // 5 and 6 are not handed out
    tasks[0].cancel();
    tasks[2].cancel();
    CHECK_THROWS_AS(await(tasks[0]), Cancelled);
    CHECK(await(tasks[1]) == 1);
    CHECK_THROWS_AS(await(tasks[2]), Cancelled);
    CHECK(await(tasks[3]) == 2);
    for (int i = 3; i <= 6; ++i) CHECK(channel.try_receive() == i);
    CHECK(channel.empty());
  });
}

TEST_CASE("Channel gives a value that came back to the next who waits") {
  on_loop([] {
    Channel<std::unique_ptr<int>> channel;
    auto first = create_task([&] { return *channel.receive(); });
    auto second = create_task([&] { return *channel.receive(); });
    settle();
    channel.send(std::make_unique<int>(1));
    first.cancel();
    CHECK_THROWS_AS(await(first), Cancelled);
    CHECK(await(second) == 1);

    auto third = create_task([&] { return *channel.receive(); });
    settle();
    channel.send(std::make_unique<int>(2));
    third.cancel();
    CHECK_THROWS_AS(await(third), Cancelled);
    CHECK(channel.size() == 1);  // a rendezvous, but nobody else wants it
    auto sender = create_task([&] { channel.send(std::make_unique<int>(3)); });
    settle();
    CHECK_FALSE(sender.done());
    CHECK(*channel.receive() == 2);
    CHECK(*channel.receive() == 3);
    await(sender);
  });
}

TEST_CASE("Channel takes back as many values as it handed out, whatever its capacity") {
  on_loop([] {
    Channel<int> channel;
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(create_task([&] { return channel.receive(); }));
    settle();
    for (int i = 0; i < 20; ++i) channel.send(i);
    for (auto& task : tasks) task.cancel();
    settle();
    CHECK(channel.size() == 20);
    for (int i = 0; i < 20; ++i) CHECK(channel.try_receive() == i);
  });
}

TEST_CASE("Channel.send whose value was taken is cancelled at its next wait") {
  on_loop([] {
    Channel<int> channel;
    Log log;
    auto sender = create_task([&] {
      channel.send(1);
      log.push_back("sent");
      sleep(1s);
      log.push_back("slept");
    });
    settle();
    CHECK(channel.receive() == 1);
    sender.cancel();
    CHECK_THROWS_AS(await(sender), Cancelled);
    CHECK(log == Log{"sent"});
  });
}

TEST_CASE("Channel.send and Channel.receive that are cancelled before they wait do nothing") {
  on_loop([] {
    Channel<int> channel;
    auto task = create_task([&] {
      current_task().cancel();
      CHECK_THROWS_AS(channel.receive(), Cancelled);
      current_task().cancel();
      CHECK_THROWS_AS(channel.send(1), Cancelled);
    });
    await(task);
    CHECK(channel.waiting_receivers() == 0);
    CHECK(channel.waiting_senders() == 0);
  });
}

TEST_CASE("Channel that ends while tasks wait at it closes for them") {
  on_loop([] {
    auto channel = std::make_unique<Channel<std::string>>();
    auto receiver = create_task([&] { return channel->receive(); });
    auto handed = create_task([&] { return channel->receive(); });
    auto none = create_task([&] { return channel->next(); });
    auto late = create_task([&] { return channel->receive(); });
    settle();
    channel->send("one");
    channel->send("two");
    handed.cancel();
    channel.reset();
    CHECK(await(receiver) == "one");
    CHECK_THROWS_AS(await(handed), Cancelled);
    CHECK(await(none) == std::nullopt);
    CHECK_THROWS_AS(await(late), ChannelClosed);
  });
}

TEST_CASE("Channel that must wait outside a task says so") {
  Channel<int> channel(1);
  channel.send(1);
  CHECK_THROWS_AS(channel.send(2), RuntimeError);
  CHECK(channel.receive() == 1);
  CHECK_THROWS_AS(channel.receive(), RuntimeError);
}

TEST_CASE("Channel loses and doubles nothing, whatever is cancelled and in whatever order") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    VirtualClock clock;
    RunOptions options;
    options.clock = &clock;
    options.seed = seed;
    std::vector<int> got;
    int sent = 0;
    run(
        [&] {
          unsigned state = seed * 2654435761u;
          auto random = [&](unsigned limit) {
            state = state * 1664525u + 1013904223u;
            return (state >> 16) % limit;
          };
          Channel<std::unique_ptr<int>> channel(random(3));
          std::vector<Task<>> tasks;
          for (int i = 0; i < 4; ++i) {
            tasks.push_back(create_task([&] {
              for (int n = 0; n < 10; ++n) {
                const int number = sent++;
                auto value = std::make_unique<int>(number);
                while (value != nullptr) {
                  try {
                    channel.send(std::move(value));
                  } catch (const Cancelled&) {
                  }
                }
              }
            }));
            tasks.push_back(create_task([&] {
              for (;;) {
                try {
                  auto value = channel.next();
                  if (!value.has_value()) return;
                  got.push_back(**value);
                  if (random(2) == 0) checkpoint();
                } catch (const Cancelled&) {
                }
              }
            }));
          }
          settle();
          for (int i = 0; i < 60; ++i) {
            tasks[random(8)].cancel();
            sleep(std::chrono::nanoseconds(random(2)));
          }
          // Whose last send was cancelled too late ends as cancelled.
          auto end = [](Task<>& task) {
            try {
              await(task);
            } catch (const Cancelled&) {
            }
          };
          for (std::size_t i = 0; i < 8; i += 2) end(tasks[i]);
          channel.close();
          for (std::size_t i = 1; i < 8; i += 2) await(tasks[i]);
        },
        options);
    std::sort(got.begin(), got.end());
    std::vector<int> all;
    for (int i = 0; i < 40; ++i) all.push_back(i);
    INFO("seed " << seed);
    REQUIRE(got == all);
  }
}
