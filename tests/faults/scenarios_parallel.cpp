#include "scenarios.hpp"

#include <jumpcut/jumpcut.hpp>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "scenario.hpp"

namespace faults {

using jumpcut::Cancelled, jumpcut::Future, jumpcut::LoopPool, jumpcut::Stream;
using namespace std::chrono_literals;

namespace {

/// Whoever waits for a loop that has ended is cancelled; what ended it is reported.
void unless_its_loop_ends(const std::function<void()>& body) {
  try {
    body();
  } catch (const Cancelled&) {
    if (!is_anything_noted()) throw Wrong("a call is cancelled, and nobody says why");
  }
}

jumpcut::LoopPoolOptions two_loops() {
  jumpcut::LoopPoolOptions options;
  options.loops = 2;
  options.exception_handler = &note;
  return options;
}

void note_error(const std::exception_ptr& error) {
  if (error == nullptr) return;
  jumpcut::ErrorContext context;
  context.message = "a connection is lost";
  context.exception = error;
  note(context);
}

/// Sends back what comes.
class EchoProtocol final : public jumpcut::Protocol {
 public:
  void connection_made(const jumpcut::Transport& transport) override { transport_ = transport; }
  void data_received(std::string_view data) override { transport_.write(data); }
  void connection_lost(const std::exception_ptr& error) override { note_error(error); }

 private:
  jumpcut::Transport transport_;
};

/// Says so much, and then that this is all, or leaves that to others.
class TalkProtocol final : public jumpcut::Protocol {
 public:
  explicit TalkProtocol(std::string said, bool says_it = true)
      : said_(std::move(said)), says_it_(says_it) {}

  void connection_made(const jumpcut::Transport& transport) override {
    if (!says_it_) return;
    transport.write(said_);
    try {
      transport.write_eof();
    } catch (const std::system_error&) {
      note_error(std::current_exception());
      transport.abort();
    }
  }
  void data_received(std::string_view data) override { heard_ += data; }
  void connection_lost(const std::exception_ptr& error) override {
    note_error(error);
    lost_.set_result();
  }
  void wait() {
    await(lost_);
    expect(said_.starts_with(heard_), "what comes back was said");
  }

 private:
  const std::string said_;
  const bool says_it_;
  std::string heard_;
  Future<> lost_;
};

/// One end answers, the other one is answered.
class DatagramTalk final : public jumpcut::DatagramProtocol {
 public:
  DatagramTalk(std::shared_ptr<jumpcut::Event> told, bool answers)
      : told_(std::move(told)), answers_(answers) {}

  void connection_made(const jumpcut::DatagramTransport& transport) override {
    transport_ = transport;
  }
  void datagram_received(std::string_view data, const jumpcut::Address& from) override {
    if (answers_) return transport_.sendto(data, from);
    expect(data == "datagram", "a datagram comes back whole");
    told_->set();
  }
  /// Then none comes back.
  void error_received(const std::exception_ptr& error) override {
    note_error(error);
    told_->set();
  }
  void connection_lost(const std::exception_ptr& error) override {
    note_error(error);
    told_->set();
  }

 private:
  const std::shared_ptr<jumpcut::Event> told_;  // which outlives the scenario's body
  const bool answers_;
  jumpcut::DatagramTransport transport_;
};

}  // namespace

void a_process_pool() {
  in_loop([] {
    jumpcut::ProcessPool pool({.max_workers = 2});
    auto number = pool.submit([] { return 1 + 2; });
    auto text = pool.submit([] { return std::string(200'000, 'x'); });
    auto thrown = pool.submit([]() -> int { throw std::out_of_range("what was thrown"); });
    auto killed = pool.submit([] { std::raise(SIGKILL); });
    auto unwanted = pool.submit([] { return 4; });
    unwanted.cancel();
    expect(await(number) == 3, "a number comes back");
    expect(await(text) == std::string(200'000, 'x'), "a text comes back whole");
    try {
      await(thrown);
      throw Wrong("what a worker throws is thrown");
    } catch (const jumpcut::RemoteError& error) {
      if (error.message() != "what was thrown") throw;
    }
    try {
      await(killed);
      throw Wrong("a worker that was killed has no result");
    } catch (const jumpcut::BrokenProcessPool& error) {
      expect(error.signal() == SIGKILL || error.exit_code() == 255, "the signal is told");
    }
    pool.shutdown();
  });
}

void a_loop_pool() {
  in_loop([] {
    unless_its_loop_ends([] {
      LoopPool pool(two_loops());
      auto one = pool.submit([] {
        jumpcut::sleep(100us);
        return 1;
      });
      auto two = pool.submit([] { return 2; });
      auto three = pool.submit_to(0, [] { return jumpcut::to_thread([] { return 3; }); });
      expect(await(one) + await(two) == 3, "what they return comes");
      expect(await(three) == 3, "also what a thread returns");
      pool.stop(1s);
    });
  });
}

void a_pool_server() {
  in_loop([] {
    unless_its_loop_ends([] {
      LoopPool pool(two_loops());
      const auto echo = [](Stream& stream) {
        for (const std::string& line : stream) stream.write(line);
      };
      jumpcut::PoolServer server = jumpcut::start_server(pool, echo, "127.0.0.1", 0);
      const jumpcut::Address address = server.addresses().front();
      for (int i = 0; i < 2; ++i) {
        Stream stream = jumpcut::open_connection(address);
        stream.write("line\n");
        const std::string line = stream.read_line();
        expect(line.empty() || line == "line\n", "the echo is what was sent");
      }
      server.shutdown(1s);
      pool.stop(1s);
    });
  });
}

void transports() {
  in_loop([] {
    jumpcut::Server server =
        jumpcut::create_server([] { return std::make_shared<EchoProtocol>(); }, "127.0.0.1", 0);
    for (const std::size_t size : {10u, 4'000'000u}) {
      const auto talk = jumpcut::create_connection(
          [&] { return std::make_shared<TalkProtocol>(std::string(size, 'x')); },
          server.addresses().front());
      talk.second->wait();
    }
    server.close();
    server.wait_closed();
  });
}

void a_transport_sends_a_file() {
  in_loop([] {
    const std::string said(300'000, 'x');
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
    expect(std::fwrite(said.data(), 1, said.size(), file.get()) == said.size() &&
               std::fflush(file.get()) == 0,
           "there is a file");
    auto [mine, theirs] = jumpcut::Socket::pair();
    const auto talk = jumpcut::create_connection(
        [&] { return std::make_shared<TalkProtocol>(said, false); }, std::move(mine));
    struct Closing {
      ~Closing() { transport.abort(); }
      const jumpcut::Transport& transport;
    } closing{talk.first};
    auto heard = jumpcut::create_task(
        [peer = Stream(std::move(theirs))]() mutable { return peer.read_exactly(600'000).size(); });
    talk.first.write(said);
    const std::size_t sent = talk.first.sendfile(fileno(file.get()));
    expect(sent == said.size(), "all of the file is sent");
    talk.first.close();
    expect(await(heard) == 2 * said.size(), "all of it comes");
  });
}

void datagram_transports() {
  in_loop([] {
    const auto told = std::make_shared<jumpcut::Event>();
    const auto endpoint = [&](bool answers, const jumpcut::DatagramOptions& options) {
      return jumpcut::create_datagram_endpoint(
          [&] { return std::make_shared<DatagramTalk>(told, answers); }, options);
    };
    struct Closing {
      ~Closing() { transport.close(); }
      const jumpcut::DatagramTransport transport;
    };
    const Closing server{endpoint(true, {.local = jumpcut::Address::ip("127.0.0.1", 0)}).first};
    const jumpcut::Address where = server.transport.getsockname();
    if (where.family() == jumpcut::AddressFamily::none) return;  // that call failed
    const Closing client{endpoint(false, {.remote = where}).first};
    client.transport.sendto("datagram");
    told->wait();
  });
}

void pipe_transports() {
  in_loop([] {
    jumpcut::PipeEnds ends = jumpcut::make_pipe();
    const auto talk = [](std::size_t size) {
      return [size] { return std::make_shared<TalkProtocol>(std::string(size, 'x'), false); };
    };
    const auto reader = jumpcut::connect_read_pipe(talk(200'000), std::move(ends.reader));
    const auto writer = jumpcut::connect_write_pipe(talk(0), std::move(ends.writer));
    writer.first.write(std::string(200'000, 'x'));
    writer.first.write_eof();
    writer.second->wait();
    reader.second->wait();
  });
}

}  // namespace faults
