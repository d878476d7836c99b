#pragma once

#include <jumpcut/clock.hpp>
#include <jumpcut/impl/callback_ticket.hpp>
#include <jumpcut/sleep.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace jumpcut {

/// A callback that await_callback gave out was not called as it must be: exactly once. The text
/// says where it was awaited, and which calls stood on the stack when it went wrong.
class JUMPCUT_API CallbackError : public std::runtime_error {
 public:
  /// With the calls that stand on the stack now.
  CallbackError(const char* what_happened, const impl::SourceLocation& awaited);
  /// Not before the first call of this are the functions' names looked up.
  const char* what() const noexcept override;

 private:
  struct Details;
  std::shared_ptr<Details> details_;
};

/// Its last copy was destroyed uncalled. Thrown by the await_callback that waits for it.
class JUMPCUT_API CallbackDropped : public CallbackError {
 public:
  using CallbackError::CallbackError;
};

/// It was called again. The call is ignored, and the loop's exception handler told of this, once
/// for each await_callback.
class JUMPCUT_API CallbackRepeated : public CallbackError {
 public:
  using CallbackError::CallbackError;
};

/// The callback that await_callback gives out: done(values...) ends the wait. Copies are the same
/// one, and one of them is to be called once, from any thread, before or after await_callback's
/// `start` returns, or when the task and its loop have long gone. It never runs the waiting task
/// inside the call, and never throws what belongs to the task.
///
/// The values are converted to R in the call. So what they point to need only be valid until it
/// returns, if R is a type that owns it: a std::string for a char*.
template <class... R>
class Done {
  static_assert((!std::is_reference_v<R> && ...),
                "a callback's values are kept until the task runs: take them by value");

 public:
  using Ticket = impl::CallbackTicketOf<R...>;

  explicit Done(Ticket& ticket) noexcept : ticket_(&ticket) { ticket.add_holder(); }
  Done(const Done& other) noexcept : ticket_(other.ticket_) {
    if (ticket_ != nullptr) ticket_->add_holder();
  }
  Done(Done&& other) noexcept : ticket_(std::exchange(other.ticket_, nullptr)) {}
  Done& operator=(Done other) noexcept {
    std::swap(ticket_, other.ticket_);
    return *this;
  }
  ~Done() {
    if (ticket_ != nullptr) ticket_->drop_holder();
  }

  /// Ends the wait with these values. If nobody waits any more, they go to
  /// CallbackOptions::on_late, in this thread. Throws RuntimeError only if it was moved from.
  void operator()(R... values) const { ticket("done()").complete(std::move(values)...); }

  /// Ends the wait with an error: await_callback throws it.
  void fail(std::exception_ptr error) const {
    Ticket& called = ticket("done.fail()");
    if (error == nullptr) error = impl::null_error("done.fail()");
    called.fail(std::move(error));
  }
  template <class Error>
  requires(!std::is_convertible_v<Error, std::exception_ptr>) void fail(Error&& error) const {
    fail(std::make_exception_ptr(std::forward<Error>(error)));
  }

  /// For the void* that goes through a C library: that now stands for this copy, which is empty
  /// afterwards. Exactly one from_pointer() takes it back.
  void* to_pointer() && noexcept { return std::exchange(ticket_, nullptr); }
  static Done from_pointer(void* pointer) noexcept {
    Done done;
    done.ticket_ = static_cast<Ticket*>(pointer);
    return done;
  }

 private:
  Done() noexcept = default;

  Ticket& ticket(const char* call) const {
    if (ticket_ == nullptr) [[unlikely]]
      impl::throw_moved_callback(call);
    return *ticket_;
  }

  Ticket* ticket_ = nullptr;
};

template <class... R>
struct CallbackOptions {
  /// How long it may take until TimeoutError is thrown.
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;
  /// The same as a time on the loop's clock.
  TimePoint deadline = TimePoint::max();
  /// Tells the library to stop, when the wait was cancelled or its time is up. Called by the task,
  /// which goes on when it has returned; so if `start` lent the library anything of the caller's
  /// frame, this must make sure that it is given back. What it throws goes to the loop's exception
  /// handler.
  std::function<void()> cancel = nullptr;
  /// Takes a result that nobody waits for any more, to free what it owns; otherwise it is
  /// destroyed. Called by whichever thread brought it, or by the task that was cancelled at the
  /// moment in which it came.
  std::function<void(R&&...)> on_late = nullptr;
};

/// Makes one call of a callback API: calls start(done) at once, and waits until a copy of `done`,
/// a Done<R...>, is called. Returns what that brings: nothing, an R, or a tuple. Does not switch if
/// it was called by then. Throws what start() throws, what done.fail() was given, CallbackDropped
/// if no copy is left that could be called, TimeoutError, Cancelled if the task is cancelled, and
/// RuntimeError outside a task.
///
///     std::string address = await_callback<std::string>(
///         [&](auto done) { resolver.lookup(name, std::move(done)); }, {.timeout = 5s});
template <class... R, class Start>
impl::CallbackResult<R...> await_callback(
    Start&& start, const CallbackOptions<R...>& options = {},
    impl::SourceLocation where = impl::SourceLocation::current()) {
  using Ticket = impl::CallbackTicketOf<R...>;
  static_assert(std::is_invocable_v<Start, Done<R...>>, "start is called as start(done)");
  if constexpr (requires { start == nullptr; }) {
    if (start == nullptr) impl::throw_null_function("await_callback");
  }
  const TimePoint deadline =
      options.timeout.has_value()
          ? std::min(options.deadline,
                     impl::deadline_after(impl::loop_now("await_callback"), *options.timeout))
          : options.deadline;
  Ticket* const ticket = new Ticket(where, typename Ticket::Deleter(options.on_late));
  struct Held {
    Ticket& ticket;
    ~Held() { ticket.leave(); }
  } held{*ticket};
  ticket->give_out();
  std::forward<Start>(start)(Done<R...>(*ticket));
  ticket->wait(deadline, options.cancel);
  return ticket->take_result();
}

}  // namespace jumpcut
