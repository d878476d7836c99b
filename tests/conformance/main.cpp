// Does what the oracle does, on jumpcut: for each program of a file, a line with its trace.

#include <fstream>
#include <iostream>

#include "interpreter.hpp"

int main(int count, char** arguments) {
  std::ifstream file;
  if (count == 2) file.open(arguments[1]);
  if (!file.is_open()) {
    std::cerr << "usage: conformance FILE.jsonl\n";
    return 2;
  }
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const conformance::Json program = conformance::Json::parse(line);
    conformance::Interpreter interpreter(program["scripts"]);
    const conformance::Json answer{{"name", program["name"]}, {"trace", interpreter.run_program()}};
    std::cout << answer.dump() << '\n';
  }
}
