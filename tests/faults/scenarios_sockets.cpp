#include "scenarios.hpp"

#include <jumpcut/jumpcut.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

#include "../sockets.hpp"
#include "injector.hpp"
#include "scenario.hpp"

namespace faults {

using jumpcut::Address, jumpcut::create_task, jumpcut::Socket, jumpcut::TaskGroup;
using namespace std::chrono_literals;

namespace {

/// What was sent comes back.
void talk(Socket& socket, int times) {
  for (int i = 0; i < times; ++i) {
    const std::string text = "message " + std::to_string(i);
    socket.sendall(text);
    std::string all;
    while (all.size() < text.size()) {
      const std::string part = socket.recv(100);
      if (part.empty()) return;  // the other one failed
      all += part;
    }
    expect(all == text, "the echo is what was sent");
  }
  socket.shutdown(jumpcut::Shutdown::writing);
  expect(socket.recv(100).empty(), "nothing comes after the end");
}

void echo(Socket& socket) {
  for (std::string part; !(part = socket.recv(100)).empty();) socket.sendall(part);
}

void serve_one_and_talk(Socket& listening, const Address& address) {
  jumpcut::task_group([&](TaskGroup& group) {
    group.create_task([&] {
      Socket accepted = listening.accept().first;
      echo(accepted);
    });
    group.create_task([&] {
      Socket socket(address.family());
      socket.connect(address);
      talk(socket, 3);
    });
  });
}

}  // namespace

void tasks_and_timers() {
  in_loop([] {
    int sum = 0;
    jumpcut::task_group([&](TaskGroup& group) {
      for (int i = 0; i < 20; ++i) {
        group.create_task([&sum, i] {
          jumpcut::sleep(i % 2 * 100us);
          sum += i;
        });
      }
    });
    expect(sum == 190, "all tasks ran");
  });
}

void echo_over_tcp() {
  in_loop([] {
    Socket listening(jumpcut::AddressFamily::ipv4);
    listening.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listening.bind(Address::ip("127.0.0.1", 0));
    listening.listen();
    serve_one_and_talk(listening, listening.getsockname());
  });
}

void echo_over_unix_sockets() {
  in_loop([] {
    const Address address =
        Address::local(std::string("\0jumpcut faults", 15) + std::to_string(getpid()));
    Socket listening(jumpcut::AddressFamily::local);
    listening.bind(address);
    listening.listen();
    serve_one_and_talk(listening, address);
  });
}

void datagrams() {
  in_loop([] {
    Socket server(jumpcut::AddressFamily::ipv4, jumpcut::SocketType::datagram);
    server.bind(Address::ip("127.0.0.1", 0));
    const Address where = server.getsockname();
    jumpcut::task_group([&](TaskGroup& group) {
      group.create_task([&] {
        for (int i = 0; i < 3; ++i) {
          const auto [text, from] = server.recvfrom(100);
          server.sendto(text, from);
        }
      });
      group.create_task([&] {
        Socket client(jumpcut::AddressFamily::ipv4, jumpcut::SocketType::datagram);
        for (int i = 0; i < 3; ++i) {
          const std::string text = "datagram " + std::to_string(i);
          client.sendto(text, where);
          expect(client.recvfrom(100).first == text, "a datagram comes back whole");
        }
      });
    });
  });
}

void unix_datagrams() {
  in_loop([] {
    auto [one, other] = Socket::pair(jumpcut::SocketType::seqpacket);
    jumpcut::task_group([&, &one = one, &other = other](TaskGroup& group) {
      group.create_task([&] {
        for (int i = 0; i < 3; ++i) one.send("packet");
        one.close();
      });
      group.create_task([&] {
        for (int i = 0; i < 3; ++i) {
          const auto [text, from] = other.recvfrom(100);
          expect(text == "packet", "a packet comes whole");
        }
      });
    });
  });
}

void refused_connections() {
  in_loop([] {
    Socket closed(jumpcut::AddressFamily::ipv4);
    closed.bind(Address::ip("127.0.0.1", 0));  // and does not listen
    try {
      jumpcut::open_connection(closed.getsockname());
      throw Wrong("nobody listens");
    } catch (const std::system_error& error) {
      if (error.code().value() != ECONNREFUSED) throw;
    }
    try {
      jumpcut::open_unix_connection("/nowhere/at all");
      throw Wrong("there is no such path");
    } catch (const std::system_error& error) {
      if (error.code().value() != ENOENT) throw;
    }
  });
}

void several_addresses() {
  in_loop([] {
    Socket listening(jumpcut::AddressFamily::ipv4);  // only the second is listened to
    listening.bind(Address::ip("127.0.0.1", 0));
    listening.listen();
    const Address address = listening.getsockname();
    jumpcut::task_group([&](TaskGroup& group) {
      group.create_task([&] { listening.accept().first.sendall("hello\n"); });
      group.create_task([&] {
        jumpcut::Stream stream = jumpcut::open_connection(host_of_two_families, address.port());
        expect(stream.read() == "hello\n", "the one who listens has sent that");
        stream.close();
        stream.wait_closed();
      });
    });
  });
}

void buffers() {
  in_loop([] {
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    auto [one, other] = Socket::pair();
    const std::string all = pattern(100'000);  // more than there is room for
    jumpcut::task_group([&, &one = one, &other = other](TaskGroup& group) {
      group.create_task([&] {
        const std::array<std::string_view, 2> parts{"ab", "cd"};
        const std::size_t size = pipe.writer.writev(parts);
        pipe.writer.write_all(std::string("abcd").substr(size));
        pipe.writer.write_all(all);
        pipe.writer.close();
      });
      group.create_task([&] {
        std::array<char, 3> first{};
        std::array<char, 3> second{};
        const std::array<std::span<char>, 2> both{first, second};
        const std::size_t size = pipe.reader.readv(both);
        std::string received(first.data(), std::min<std::size_t>(size, 3));
        if (size > 3) received.append(second.data(), size - 3);
        received += receive_all(pipe.reader, 50'000);
        expect(std::string("abcd" + all).starts_with(received), "what comes was sent");
        one.sendall(received);
        one.close();
      });
      group.create_task([&] { receive_all(other, 60'000); });
    });
  });
}

void a_file_sent() {
  const std::string all = pattern(200'000);
  std::FILE* file = std::tmpfile();
  expect(std::fwrite(all.data(), 1, all.size(), file) == all.size() && std::fflush(file) == 0,
         "there is room for a file");
  struct Closing {
    std::FILE* file;
    ~Closing() { std::fclose(file); }
  } const closing{file};
  in_loop([&] {
    auto [one, other] = Socket::pair();
    jumpcut::task_group([&, &one = one, &other = other](TaskGroup& group) {
      group.create_task([&] {
        expect(one.sendfile(fileno(file)) == all.size(), "all is sent");
        one.close();
      });
      group.create_task(
          [&] { expect(receive_all(other, 30'000) == all, "what is received is the file"); });
    });
  });
}

}  // namespace faults
