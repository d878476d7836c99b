#include "value.hpp"

namespace conformance {

Value::Value(const Json& json) {
  if (json.is_boolean()) {
    value_ = json.get<bool>();
  } else if (json.is_number()) {
    value_ = json.get<long long>();
  } else if (json.is_string()) {
    value_ = json.get<std::string>();
  }
}

std::string Value::text() const {
  if (const auto* boolean = std::get_if<bool>(&value_)) return *boolean ? "True" : "False";
  if (const auto* number = std::get_if<long long>(&value_)) return std::to_string(*number);
  if (const auto* string = std::get_if<std::string>(&value_)) return *string;
  return "None";
}

}  // namespace conformance
