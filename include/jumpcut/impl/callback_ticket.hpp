#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/future_base.hpp>
#include <jumpcut/impl/posted_callback.hpp>
#include <jumpcut/impl/source_location.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

class PostQueue;
struct Outsiders;

/// What await_callback and its callback share: neither reaches into the other's frames. It is
///
///      armed        nobody has won yet
///      completed    the callback won: what it brought is the waiter's
///      detached     the waiter has what it wanted, or has gone: what comes now is late
///
/// and leaves `armed` by one compare-and-exchange, so exactly one side wins. Whoever finds itself
/// too late, or takes a result that nobody waits for any more, gives it to the deleter.
///
/// The loop may be gone before the callback is, and the other way round. References: one for the
/// waiter, one for all copies of the callback, one while it is posted.
class JUMPCUT_API CallbackTicket : public PostedCallback {
 public:
  /// Of the running task; counts as held by the waiter.
  explicit CallbackTicket(const SourceLocation& where);

  /// The callback's side: any thread.
  void add_holder() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void drop_holder() noexcept;
  /// Whether this is the first call. Any other is counted and reported.
  bool begin_call() noexcept;
  /// What was brought is stored.
  void end_call() noexcept;

  /// The waiter's side. The first holder is the callback that is given to `start`.
  void give_out() noexcept;
  /// Returns once the callback was called, at once if it was already. `cancel` is called if this
  /// throws.
  void wait(TimePoint deadline, const std::function<void()>& cancel);
  void leave() noexcept;

  void run() final;
  void dispose() noexcept final;

 protected:
  virtual ~CallbackTicket();

  /// Nobody wants what was brought.
  virtual void drop_result() noexcept = 0;
  /// The waiter takes what was brought; throws what the callback failed with.
  void take() {
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  void report_deleter() noexcept;

  std::exception_ptr error_;

 private:
  enum class State : std::uint8_t { armed, completed, detached };

  bool detach() noexcept;
  void drop_ref() noexcept;
  void call_cancel(const std::function<void()>& cancel) noexcept;

  std::atomic<State> state_{State::armed};
  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::uint32_t> holders_{0};
  std::atomic<std::uint32_t> calls_{0};
  Waiting* waiting_ = nullptr;  // the waiter, while it is parked: its loop's thread's alone
  Core* const* const thread_;   // the loop's
  const std::shared_ptr<PostQueue> posts_;
  const std::shared_ptr<Outsiders> outsiders_;
  const SourceLocation where_;
};

JUMPCUT_API std::exception_ptr null_error(const char* call);
[[noreturn]] JUMPCUT_API void throw_moved_callback(const char* call);

template <class... R>
struct CallbackResultOf {
  using type = std::tuple<R...>;
};
template <class R>
struct CallbackResultOf<R> {
  using type = R;
};
template <>
struct CallbackResultOf<> {
  using type = void;
};
template <class... R>
using CallbackResult = typename CallbackResultOf<R...>::type;

template <class... R>
class CallbackTicketOf final : public CallbackTicket {
 public:
  using Deleter = std::function<void(R&&...)>;

  CallbackTicketOf(const SourceLocation& where, Deleter&& deleter)
      : CallbackTicket(where), deleter_(std::move(deleter)) {}

  void complete(R&&... values) noexcept {
    if (!begin_call()) return;
    try {
      values_.emplace(std::move(values)...);
    } catch (...) {
      error_ = std::current_exception();
    }
    end_call();
  }
  void fail(std::exception_ptr error) noexcept {  // NOLINT: it is moved
    if (!begin_call()) return;
    error_ = std::move(error);
    end_call();
  }

  CallbackResult<R...> take_result() {
    take();
    [[maybe_unused]] std::tuple<R...> values = std::move(*values_);
    values_.reset();
    if constexpr (sizeof...(R) == 1) {
      return std::get<0>(std::move(values));
    } else if constexpr (sizeof...(R) > 1) {
      return values;
    }
  }

 private:
  ~CallbackTicketOf() override = default;

  void drop_result() noexcept override {
    if (values_.has_value() && deleter_ != nullptr) {
      try {
        std::apply([&](R&... values) { deleter_(std::move(values)...); }, *values_);
      } catch (...) {
        report_deleter();
      }
    }
    values_.reset();
    deleter_ = nullptr;
    error_ = nullptr;
  }

  std::optional<std::tuple<R...>> values_;
  Deleter deleter_;
};

}  // namespace jumpcut::impl
