#include "frames.hpp"

#include "base/backtrace.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace jumpcut::impl {

namespace {

/// What an unwinder needs, with room to spare.
constexpr std::ptrdiff_t room_to_look = 8 * 1024;

struct Look {
  lowlevel::Stack stack;
  std::span<std::uintptr_t> into;
  std::size_t count = 0;
};

void look(void* argument) noexcept {
  Look& look = *static_cast<Look*>(argument);
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
  // A sanitizer may keep this frame elsewhere; its stacks are large.
  if (here >= look.stack.low && here - look.stack.low < room_to_look) return;
  look.count = backtrace(look.into);
}

std::size_t fill(lowlevel::Fiber& fiber, std::span<std::uintptr_t> into) {
  if (fiber.state() == lowlevel::Fiber::State::running) return backtrace(into);
  Look call{fiber.stack(), into};
  fiber.run_on_top(&look, &call);
  return call.count;
}

/// What calls a function object for the runtime, where it is not inlined.
bool is_invoke(const Symbol& symbol) noexcept {
  const std::string_view name = symbol.mangled;
  return name.starts_with("_ZSt8__invoke") || name.starts_with("_ZSt13__invoke_impl") ||
         name.starts_with("_ZSt6invoke") || name.starts_with("_ZSt10__invoke_r") ||
         name.starts_with("_ZSt5apply") || name.starts_with("_ZSt12__apply_impl") ||
         name.starts_with("_ZNSt17_Function_handler") || name.starts_with("_ZNKSt8function");
}

/// The text between the first `<` and its `>`, or nothing.
std::string_view template_arguments(std::string_view function) noexcept {
  const std::size_t begin = function.find('<');
  if (begin == function.npos) return {};
  int depth = 0;
  for (std::size_t i = begin; i < function.size(); ++i) {
    if (function[i] == '<') ++depth;
    if (function[i] == '>' && --depth == 0) return function.substr(begin + 1, i - begin - 1);
  }
  return {};
}

bool is_callable(std::string_view type) noexcept {
  if (type.find("{lambda(") != type.npos) return true;
  // Not a constant, a pointer, a reference, or what a result is likely to be.
  return !type.empty() && type.find_first_of("&*") == type.npos && !type.starts_with("std::") &&
         type.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ:") != type.npos;
}

/// The type of the function object of the user's that one of the runtime's templates, or of the
/// standard's, is made for. Its body may be inlined there, and have no frame of its own.
std::string callable_of(const Symbol& symbol) {
  if (!symbol.is_runtime && !is_invoke(symbol)) return {};
  return callable_among_arguments(symbol.function);
}

}  // namespace

std::string callable_among_arguments(std::string_view function) {
  std::string callable;
  std::string_view rest = template_arguments(function);
  while (!rest.empty()) {
    int depth = 0;
    std::size_t end = 0;
    for (; end < rest.size() && (depth > 0 || rest[end] != ','); ++end) {
      if (rest[end] == '<' || rest[end] == '(' || rest[end] == '{') ++depth;
      if (rest[end] == '>' || rest[end] == ')' || rest[end] == '}') --depth;
    }
    std::string_view type = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 2));
    if (type.ends_with('&')) type.remove_suffix(1);
    if (!type.starts_with("jumpcut::") && is_callable(type)) callable = type;  // the last
  }
  return callable;
}

std::vector<std::uintptr_t> frames_of(lowlevel::Fiber& fiber) {
  std::vector<std::uintptr_t> frames(64);
  const std::size_t count = fill(fiber, frames);
  const bool all = count <= frames.size();
  frames.resize(count);
  if (!all) fill(fiber, frames);
  return frames;
}

std::vector<Symbol> shown_frames(std::span<const std::uintptr_t> frames, Symbols& symbols) {
  std::vector<Symbol> shown;
  for (const std::uintptr_t address : frames) {
    Symbol symbol = symbols.find(address);
    if (shown.empty() && symbol.is_runtime && callable_of(symbol).empty()) continue;
    shown.push_back(std::move(symbol));
    if (shown.back().mangled == "main") break;
  }
  Symbol outermost;
  while (!shown.empty() && (shown.back().is_runtime || is_invoke(shown.back()))) {
    std::string callable = callable_of(shown.back());
    if (outermost.function.empty() && !callable.empty()) {
      outermost = std::move(shown.back());
      outermost.function = std::move(callable);  // the user's, not the runtime's
      outermost.mangled.clear();
      outermost.is_runtime = false;
    }
    shown.pop_back();
  }
  const bool has_frame = !shown.empty() && shown.back().function.starts_with(outermost.function);
  if (!outermost.function.empty() && !has_frame) shown.push_back(std::move(outermost));
  return shown;
}

std::string frames_text(std::span<const std::uintptr_t> frames, Symbols& symbols) {
  std::string text;
  for (const Symbol& symbol : shown_frames(frames, symbols)) text += "    " + symbol.text() + "\n";
  return text;
}

}  // namespace jumpcut::impl
