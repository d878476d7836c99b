#include <jumpcut/cancelled.hpp>

#include <utility>

namespace jumpcut {

namespace {

CancelRequest with_message(std::string message) {
  CancelRequest request;
  request.message = std::move(message);
  request.has_message = true;
  return request;
}

const char* verb(CancelReason reason) {
  switch (reason) {
    case CancelReason::user:
      return "cancelled";
    case CancelReason::deadline:
      return "cancelled by a timeout";
    case CancelReason::scope:
      return "cancelled by its scope";
    case CancelReason::group:
      return "cancelled by its task group";
    case CancelReason::shutdown:
      return "cancelled because the loop ends";
    case CancelReason::interrupt:
      return "cancelled by SIGINT";
  }
  return "cancelled";
}

}  // namespace

Cancelled::Cancelled() : Cancelled(CancelRequest()) {}
Cancelled::Cancelled(std::string message) : Cancelled(with_message(std::move(message))) {}
Cancelled::Cancelled(CancelRequest request)
    : request_(std::make_shared<const CancelRequest>(std::move(request))) {}

std::string Cancelled::describe() const {
  std::string text = verb(request_->reason);
  if (!request_->by.empty()) text += ", asked by task '" + request_->by + "'";
  if (request_->where.line != 0) {
    text += std::string(" at ") + request_->where.file + ":" +
            std::to_string(request_->where.line) + " (" + request_->where.function + ")";
  }
  if (request_->has_message) text += ": " + request_->message;
  return text;
}

namespace impl {

std::exception_ptr make_cancelled(CancelRequest request) {
  return std::make_exception_ptr(Cancelled(std::move(request)));
}

std::shared_ptr<const CancelRequest> request_of(const std::exception_ptr& cancelled) noexcept {
  if (cancelled == nullptr) return nullptr;
  try {
    std::rethrow_exception(cancelled);
  } catch (const Cancelled& found) {
    return std::make_shared<const CancelRequest>(found.request());
  } catch (...) {
    return nullptr;
  }
}

bool is_cancelled(const std::exception_ptr& error) noexcept {
  if (error == nullptr) return false;
  try {
    std::rethrow_exception(error);
  } catch (const Cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::exception_ptr without_message(const std::exception_ptr& cancelled) noexcept {
  const auto before = request_of(cancelled);
  if (before == nullptr || !before->has_message) return cancelled;
  CancelRequest request = *before;
  request.message.clear();
  request.has_message = false;
  return make_cancelled(std::move(request));
}

}  // namespace impl
}  // namespace jumpcut
