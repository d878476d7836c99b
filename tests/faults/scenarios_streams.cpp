#include "scenarios.hpp"

#include <jumpcut/jumpcut.hpp>

#include <string>

#include <unistd.h>

#include "../sockets.hpp"
#include "scenario.hpp"

namespace faults {

using jumpcut::Stream, jumpcut::TaskGroup;

void a_server() {
  const std::string path = "/tmp/jumpcut-faults-" + std::to_string(getpid());
  struct Removing {
    const std::string& path;
    ~Removing() { unlink(path.c_str()); }
  } const removing{path};
  in_loop([&] {
    const auto echo = [](Stream& stream) {
      try {
        for (const std::string& line : stream) stream.write(line);
      } catch (const jumpcut::DescriptorClosed&) {  // by close_clients()
      }
    };
    jumpcut::Server tcp = jumpcut::start_server(echo, "127.0.0.1", 0);
    const jumpcut::Address address = tcp.addresses().front();
    jumpcut::Server local = jumpcut::start_unix_server(echo, path);
    jumpcut::task_group([&](TaskGroup& group) {
      const auto talk = [](Stream stream) {
        for (int i = 0; i < 2; ++i) {
          stream.write("line\n");
          const std::string line = stream.read_line();
          expect(line.empty() || line == "line\n", "the echo is what was sent");
        }
        stream.write_eof();
        stream.read();
        stream.close();
        stream.wait_closed();
      };
      group.create_task([&] { talk(jumpcut::open_connection(address)); });
      group.create_task([&] { talk(jumpcut::open_unix_connection(path)); });
    });
    Stream idle = jumpcut::open_connection(address);
    idle.write("line\n");
    if (!idle.read_line().empty()) {  // he is served
      tcp.close_clients();
      idle.read();
    }
    tcp.close();
    local.close();
    tcp.wait_closed();
    local.wait_closed();
  });
}

void lines_and_limits() {
  in_loop([] {
    jumpcut::PipeEnds pipe = jumpcut::make_pipe();
    Stream reader(std::move(pipe.reader), {.limit = 8});
    Stream writer(std::move(pipe.writer));
    jumpcut::task_group([&](TaskGroup& group) {
      group.create_task([&] {
        writer.write("one\r\ntwo;");
        writer.write("exactlyfar too long a line\n");
        writer.write_eof();
        writer.close();
        writer.wait_closed();
      });
      group.create_task([&] {
        expect(reader.read_until("\r\n") == "one\r\n", "up to the separator");
        expect(reader.read_until(";") == "two;", "up to the next");
        expect(reader.read_exactly(7) == "exactly", "exactly so much");
        try {
          reader.read_line();
          throw Wrong("the line is longer than the limit");
        } catch (const jumpcut::ValueError&) {
        }
        reader.read();
        expect(reader.at_eof(), "the end is known");
      });
    });
  });
}

void much_data() {
  in_loop([] {
    auto [one, other] = jumpcut::Socket::pair();
    Stream writer(std::move(one), {.high_water = 20'000, .low_water = 5'000});
    Stream reader(std::move(other));
    const std::string all = pattern(500'000);
    jumpcut::task_group([&](TaskGroup& group) {
      group.create_task([&] {
        for (std::size_t at = 0; at < all.size(); at += 100'000) {
          writer.write(std::string_view(all).substr(at, 100'000));
        }
        writer.close();
        writer.wait_closed();
      });
      group.create_task([&] { expect(all.starts_with(reader.read()), "what comes was sent"); });
    });
  });
}

}  // namespace faults
