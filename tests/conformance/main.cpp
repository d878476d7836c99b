// Does what the oracle does, on jumpcut: for each program of a file, a line with its trace. With
// --check it compares the traces with those of the file, and says which differ.

#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "interpreter.hpp"

namespace {

using conformance::Json;

Json trace_of(const Json& program) {
  const Json& scripts = program.at("scripts");
  if (!scripts.is_array() || scripts.empty()) throw std::invalid_argument("it has no scripts");
  return conformance::Interpreter(scripts).run_program();
}

void print_trace(const Json& program) {
  const Json& name = program.at("name");
  // Each at once: the next program may be the runner's last.
  std::cout << Json{{"name", name}, {"trace", trace_of(program)}}.dump() << std::endl;
}

bool check_trace(const Json& program) {
  const Json& expected = program.at("trace");
  const Json trace = trace_of(program);
  if (trace == expected) return true;
  std::size_t row = 0;
  while (row < trace.size() && row < expected.size() && trace[row] == expected[row]) ++row;
  const auto at = [row](const Json& rows) {
    return row < rows.size() ? rows[row].dump() : "nothing";
  };
  std::cout << program.at("name") << ": row " << row << ": CPython has " << at(expected)
            << ", jumpcut " << at(trace) << std::endl;
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  const bool check = count == 3 && std::string_view(arguments[1]) == "--check";
  const char* path = count == 2 || check ? arguments[count - 1] : "";
  std::ifstream file(path);
  if (!file.is_open()) {
    std::cerr << "usage: conformance [--check] FILE.jsonl\n";
    return 2;
  }
  bool failed = false;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      const Json program = Json::parse(line);
      if (check) {
        failed |= !check_trace(program);
      } else {
        print_trace(program);
      }
    } catch (const std::exception& error) {  // not a program
      std::cerr << path << ':' << number << ": " << error.what() << '\n';
      failed = true;
    }
  }
  return failed ? 1 : 0;
}
