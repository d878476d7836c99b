#include <jumpcut/impl/callback_ticket.hpp>

#include <jumpcut/await_callback.hpp>
#include <jumpcut/impl/task_base.hpp>

#include "loop/alarm.hpp"
#include "loop/loop_state.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

namespace jumpcut::impl {

namespace {

/// "await_callback() at file.cpp:42", without allocating.
class Place {
 public:
  explicit Place(const SourceLocation& where) noexcept {
    const std::string_view file = where.file;
    add("await_callback() at ");
    add(file.substr(file.rfind('/') + 1));
    add(":");
    char digits[12];
    const auto end = std::to_chars(digits, digits + sizeof digits, where.line).ptr;
    add({digits, static_cast<std::size_t>(end - digits)});
    text_[length_] = '\0';
  }
  const char* text() const noexcept { return text_; }

 private:
  void add(std::string_view more) noexcept {
    const std::size_t count = std::min(more.size(), sizeof text_ - 1 - length_);
    std::memcpy(text_ + length_, more.data(), count);
    length_ += count;
  }

  char text_[112];
  std::size_t length_ = 0;
};

/// Tells the exception handler of something that went wrong elsewhere.
class Report final : public Posted {
 public:
  Report(const char* message, std::exception_ptr error) noexcept
      : message_(message), error_(std::move(error)) {}  // NOLINT: nothing is to be thrown

  /// From any thread. Where no loop is left, the default handler is told.
  static void send(PostQueue& queue, const char* message, std::exception_ptr error) noexcept {
    try {
      if (post_to(queue, std::make_unique<Report>(message, error))) return;
      Loop::default_exception_handler({message, std::move(error)});
    } catch (...) {
      Loop::default_exception_handler({});
    }
  }

  void call() override { get_running_loop().call_exception_handler({message_, std::move(error_)}); }

 private:
  const char* message_;
  std::exception_ptr error_;
};

}  // namespace

CallbackTicket::CallbackTicket(const SourceLocation& where)
    : thread_(TaskBase::running("await_callback").space().core->thread),
      posts_(LoopState::running("await_callback").posts),
      outsiders_(LoopState::running("await_callback").outsiders),
      where_(where) {}

CallbackTicket::~CallbackTicket() = default;

void CallbackTicket::drop_ref() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void CallbackTicket::give_out() noexcept {
  references_.fetch_add(1, std::memory_order_relaxed);
  outsiders_->callbacks.fetch_add(1, std::memory_order_relaxed);
}

void CallbackTicket::drop_holder() noexcept {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (calls_.load(std::memory_order_relaxed) == 0) {
    if (state_.load(std::memory_order_relaxed) == State::armed) {
      error_ = std::make_exception_ptr(CallbackDropped(
          thread_ == &this_core ? "the callback was dropped without being called"
                                : "the callback was dropped by another thread without being called",
          where_));
    }
    end_call();
  }
  drop_ref();
}

bool CallbackTicket::begin_call() noexcept {
  const std::uint32_t before = calls_.fetch_add(1, std::memory_order_relaxed);
  if (before == 0) return true;
  outsiders_->repeated.fetch_add(1, std::memory_order_relaxed);
  if (before == 1) {
    Report::send(
        *posts_, "a callback was called more than once; all but the first call is ignored",
        std::make_exception_ptr(CallbackRepeated("the callback was called again", where_)));
  }
  return false;
}

void CallbackTicket::end_call() noexcept {
  State expected = State::armed;
  if (!state_.compare_exchange_strong(expected, State::completed, std::memory_order_acq_rel)) {
    drop_result();
  } else if (thread_ != &this_core) {
    references_.fetch_add(1, std::memory_order_relaxed);
    if (!posts_->push(*this)) {
      drop_result();
      drop_ref();
    }
  } else {
    run();
  }
  // After the post, which the loop sees before it finds that it waits for nobody.
  outsiders_->callbacks.fetch_sub(1, std::memory_order_release);
}

/// On the loop's thread.
void CallbackTicket::run() {
  if (waiting_ == nullptr || waiting_->is_done()) return;
  if (waiting_->space().core != nullptr) return waiting_->finish();
  drop_result();  // the loop left the task behind as it was
}

void CallbackTicket::dispose() noexcept {
  if (waiting_ != nullptr && !waiting_->is_done()) drop_result();  // the loop ended before
  drop_ref();
}

bool CallbackTicket::detach() noexcept {
  State expected = State::armed;
  return state_.compare_exchange_strong(expected, State::detached, std::memory_order_acq_rel);
}

void CallbackTicket::wait(TimePoint deadline, const std::function<void()>& cancel) {
  if (state_.load(std::memory_order_acquire) == State::completed) return;
  const Place place(where_);
  LoopState& loop = LoopState::running("await_callback");
  try {
    Waiting waiting(*loop.space, place.text());
    struct Parked {
      CallbackTicket& ticket;
      ~Parked() { ticket.waiting_ = nullptr; }
    } parked{*this};
    waiting_ = &waiting;
    const Alarm alarm(loop, deadline, waiting);
    TaskBase::wait_until_done(waiting, "await_callback");
    waiting.get();
  } catch (...) {
    // If the callback came meanwhile, the library is done, and leave() drops what it brought.
    if (detach()) call_cancel(cancel);
    throw;
  }
  if (!detach()) return;
  call_cancel(cancel);
  throw TimeoutError(std::string("timed out: ") + place.text());
}

void CallbackTicket::call_cancel(const std::function<void()>& cancel) noexcept {
  if (cancel == nullptr) return;
  try {
    cancel();
  } catch (...) {
    Report::send(*posts_, "Exception in CallbackOptions::cancel", std::current_exception());
  }
}

void CallbackTicket::leave() noexcept {
  if (state_.exchange(State::detached, std::memory_order_acq_rel) == State::completed) {
    drop_result();
  }
  drop_ref();
}

void CallbackTicket::report_deleter() noexcept {
  Report::send(*posts_, "Exception in CallbackOptions::on_late", std::current_exception());
}

}  // namespace jumpcut::impl
