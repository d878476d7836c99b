#pragma once

#include <string>
#include <variant>

#include <nlohmann/json.hpp>

namespace conformance {

using Json = nlohmann::ordered_json;

// What a script returns, a future is given and a queue holds: None, a boolean, a number, a string.
class Value {
 public:
  Value() = default;
  explicit Value(const Json& json);

  // As Python's str() has it.
  std::string text() const;

  friend bool operator<(const Value& left, const Value& right) {
    return left.value_ < right.value_;
  }

 private:
  std::variant<std::monostate, bool, long long, std::string> value_;
};

}  // namespace conformance
