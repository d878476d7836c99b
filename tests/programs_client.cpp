// What programs_test.py lets talk to servers that others wrote: one connection, several requests.
//
//   programs_client http WHERE PATH...    each answer's status and body
//   programs_client redis WHERE           the answers to some commands that are sent at once
//
// WHERE is a Unix socket's path, or a port of this machine.

#include <jumpcut/jumpcut.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

jumpcut::Stream open(const std::string& where) {
  if (where.starts_with('/')) return jumpcut::open_unix_connection(where);
  return jumpcut::open_connection("127.0.0.1", static_cast<std::uint16_t>(std::stoi(where)));
}

/// Its value, or "".
std::string header(const std::string& head, std::string_view name) {
  const auto at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "";
  const auto start = at + name.size() + 4;
  return head.substr(start, head.find('\r', start) - start);
}

void get(jumpcut::Stream& stream, const std::string& path) {
  stream.write("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string head = stream.read_until("\r\n\r\n");
  const std::string size = header(head, "Content-Length");
  const std::string body = size.empty() ? stream.read() : stream.read_exactly(std::stoul(size));
  std::printf("%s %s\n", head.substr(9, 3).c_str(), body.c_str());
}

/// The next answer by redis's protocol, as text.
std::string answer(jumpcut::Stream& stream) {
  std::string line = stream.read_until("\r\n");
  line.resize(line.size() - 2);
  if (line.front() == '$') {
    const int size = std::stoi(line.substr(1));
    if (size < 0) return "(nil)";
    std::string text = stream.read_exactly(static_cast<std::size_t>(size) + 2);
    text.resize(text.size() - 2);
    return text;
  }
  return line.substr(1);
}

void ask_redis(jumpcut::Stream& stream) {
  constexpr int counts = 1000;
  const std::string large(300'000, 'x');
  std::string all = "PING\r\nSET greeting hello\r\nGET greeting\r\nGET nothing\r\n";
  all += "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$300000\r\n" + large + "\r\nGET large\r\n";
  for (int i = 0; i < counts; ++i) all += "INCR counter\r\n";
  // In a task of its own: neither side reads all before it answers.
  const auto writing = jumpcut::create_task([&] { stream.write(all); });
  for (int i = 0; i < 5; ++i) std::puts(answer(stream).c_str());
  std::printf("%s\n", answer(stream) == large ? "as large as it was" : "damaged");
  for (int i = 1; i < counts; ++i) answer(stream);
  std::puts(answer(stream).c_str());
  await(writing);
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  jumpcut::run([&] {
    jumpcut::Stream stream = open(words.at(1));
    if (words[0] == "redis") return ask_redis(stream);
    for (std::size_t i = 2; i < words.size(); ++i) get(stream, words[i]);
  });
}
