#include "base/exception_text.hpp"

#include <jumpcut/cancelled.hpp>
#include <jumpcut/exception_group.hpp>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <typeinfo>

#include <cxxabi.h>

namespace jumpcut::impl {

std::string handled_type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "a foreign exception";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  std::string text = status == 0 ? name.get() : type->name();
  // What std::throw_with_nested() makes of a type.
  constexpr std::string_view wrapper = "std::_Nested_exception<";
  if (text.starts_with(wrapper) && text.ends_with('>')) {
    text = text.substr(wrapper.size(), text.size() - wrapper.size() - 1);
  }
  return text;
}

namespace {

std::string indented(const std::string& text, const std::string& indent) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result += indent;
  }
  return result;
}

std::exception_ptr nested_in(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::nested_exception& outer) {
    return outer.nested_ptr();
  } catch (...) {
    return nullptr;
  }
}

std::string own_text(const std::exception_ptr& error, const std::string& indent) {
  try {
    std::rethrow_exception(error);
  } catch (const ExceptionGroup& group) {
    return indented(group.what(), indent);
  } catch (const Cancelled& cancelled) {
    return "jumpcut::Cancelled: " + indented(cancelled.describe(), indent);
  } catch (const std::exception& exception) {
    return handled_type_name() + ": " + indented(exception.what(), indent);
  } catch (...) {
    return handled_type_name();
  }
}

}  // namespace

std::string exception_text(const std::exception_ptr& error, const std::string& indent) {
  std::string text = own_text(error, indent);
  for (auto inner = nested_in(error); inner != nullptr; inner = nested_in(inner)) {
    text += "\n" + indent + "from " + own_text(inner, indent);
  }
  return text;
}

}  // namespace jumpcut::impl
