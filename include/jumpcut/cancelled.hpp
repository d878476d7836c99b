#pragma once

#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/source_location.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace jumpcut {

/// Why something was cancelled.
enum class CancelReason : std::uint8_t {
  user,       ///< somebody called cancel()
  deadline,   ///< a timeout's time was up
  scope,      ///< a move_on_after or fail_after scope ended
  group,      ///< a task group stops its tasks
  shutdown,   ///< the loop ends
  interrupt,  ///< SIGINT
};

/// Who asked for a cancellation, where, why, and what they said.
struct CancelRequest {
  std::string message = {};
  bool has_message = false;
  CancelReason reason = CancelReason::user;
  impl::SourceLocation where = {};
  std::string by = {};  ///< the task that asked, or empty
};

/// What a wait throws in a task that is cancelled: asyncio.CancelledError. Not a std::exception, so
/// that `catch (const std::exception&)` lets it pass; code that catches it should rethrow it.
class JUMPCUT_API Cancelled {
 public:
  Cancelled();
  explicit Cancelled(std::string message);
  explicit Cancelled(CancelRequest request);

  /// As given to cancel(), else empty.
  const std::string& message() const noexcept { return request_->message; }
  bool has_message() const noexcept { return request_->has_message; }
  CancelReason reason() const noexcept { return request_->reason; }
  /// The file, function and line that asked for it.
  const impl::SourceLocation& where() const noexcept { return request_->where; }
  const CancelRequest& request() const noexcept { return *request_; }
  /// "cancelled by task 'x' at file:line: message", as far as known.
  std::string describe() const;

 private:
  std::shared_ptr<const CancelRequest> request_;
};

namespace impl {

JUMPCUT_API std::exception_ptr make_cancelled(CancelRequest request);
/// The same place and reason, without the message.
JUMPCUT_API std::exception_ptr without_message(const std::exception_ptr& cancelled) noexcept;
/// The request inside a Cancelled; null for any other exception.
JUMPCUT_API std::shared_ptr<const CancelRequest> request_of(
    const std::exception_ptr& cancelled) noexcept;
JUMPCUT_API bool is_cancelled(const std::exception_ptr& error) noexcept;

}  // namespace impl
}  // namespace jumpcut
