#include <jumpcut/await_callback.hpp>

#include "base/backtrace.hpp"
#include "fiber/frames.hpp"

#include <array>
#include <mutex>
#include <string>

namespace jumpcut {

struct CallbackError::Details {
  std::string text;
  std::array<std::uintptr_t, 24> frames{};
  std::size_t count = 0;
  std::once_flag named;
};

namespace {

std::string first_line(const char* what_happened, const impl::SourceLocation& awaited) {
  return std::string(what_happened) + "; it was awaited in " + awaited.function + " at " +
         awaited.file + ":" + std::to_string(awaited.line);
}

}  // namespace

CallbackError::CallbackError(const char* what_happened, const impl::SourceLocation& awaited)
    : std::runtime_error(first_line(what_happened, awaited)),
      details_(std::make_shared<Details>()) {
  details_->count = impl::backtrace(details_->frames);
}

const char* CallbackError::what() const noexcept {
  const char* short_text = std::runtime_error::what();
  try {
    std::call_once(details_->named, [&] {
      impl::Symbols symbols;
      const std::size_t count = std::min(details_->count, details_->frames.size());
      details_->text = std::string(short_text) + "\n  this happened in\n" +
                       impl::frames_text({details_->frames.data(), count}, symbols);
    });
  } catch (...) {
    return short_text;
  }
  return details_->text.c_str();
}

}  // namespace jumpcut

namespace jumpcut::impl {

std::exception_ptr null_error(const char* call) {
  return std::make_exception_ptr(ValueError(std::string(call) + ": the exception is null"));
}

void throw_moved_callback(const char* call) {
  throw RuntimeError(std::string(call) + ": this callback was moved from; call the one it went to");
}

}  // namespace jumpcut::impl
