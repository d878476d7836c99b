#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/cache_line.hpp>
#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/job.hpp>
#include <jumpcut/impl/listener.hpp>
#include <jumpcut/impl/task_space.hpp>
#include <jumpcut/lowlevel/fiber.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>

namespace jumpcut::impl {

class FutureBase;

/// Runs on the hub, in its turn in the ready queue, after the future is done, which is counted as
/// held until then: dispose() drops that reference. listen() reserves its place in the queue.
class DoneCallback : public Listener, public Callback {
 public:
  DoneCallback() noexcept : Listener(false) {}

  /// For reports: the future that depends on this one, or the Waiting of the task that waits for it
  /// and maybe for others; null if nobody goes on by it.
  virtual FutureBase* awaiter() noexcept { return nullptr; }

 protected:
  ~DoneCallback() = default;
};

/// The untyped half of every future and task, and what everything that waits waits for: the one
/// ticket. It is pending until exactly one side wins: finish() or cancel(). Counted references, by
/// its loop's thread alone.
class JUMPCUT_API FutureBase {
 public:
  enum class State : std::uint8_t { pending, cancelled, failed, finished };

  explicit FutureBase(TaskSpace& space, bool task = false) noexcept
      : space_(&space), has_function_(task), is_task_(task) {}
  FutureBase(const FutureBase&) = delete;
  FutureBase& operator=(const FutureBase&) = delete;

  bool is_done() const noexcept { return state_ != State::pending; }
  bool is_cancelled() const noexcept { return state_ == State::cancelled; }
  /// It is done without error.
  bool is_well() const noexcept { return state_ == State::finished; }
  bool is_failed() const noexcept { return state_ == State::failed; }
  bool is_task() const noexcept { return is_task_; }
  /// It lives on the stack of who waits for it, and has no handle.
  bool is_on_stack() const noexcept { return on_stack_; }
  TaskSpace& space() const noexcept { return *space_; }
  /// Names it in reports: "future", "task", "sleep", "Lock.lock()".
  virtual const char* what() const noexcept { return "future"; }
  /// For reports: "task 'x'", "future", ...
  std::string describe() const;

  /// Asks it to end as cancelled, by an exception made by make_cancelled(). Returns false if it is
  /// done already. A plain one is cancelled at once; a task, a gather pass it on to what they wait
  /// for.
  virtual bool cancel(const std::exception_ptr& cancelled);

  /// Ends it without error; the value, if it has one, is stored already. Enqueues its listeners.
  [[gnu::always_inline]] void finish() { finish(check_can_end("set_result")); }
  /// After check_can_be_set(), and nothing that may have ended it since.
  [[gnu::always_inline]] void finish(Core& core) noexcept { end(State::finished, core); }
  /// Throws RuntimeError for a task, and what check_can_end() throws. First of all, for another
  /// thread may call it, and no other word of a future is the same all its life.
  [[gnu::always_inline]] Core& check_can_be_set(const char* call) const {
    if (is_task_) [[unlikely]]
      refuse_set(call);
    return check_can_end(call);
  }
  /// Ends it with an error.
  void fail(std::exception_ptr error);
  /// The same with any, Cancelled among them, which then is an error like others: a gather's.
  void fail_with(std::exception_ptr error);

  /// A waiter of a pending future, or a callback of any: of one that is done it is enqueued at
  /// once.
  void listen(DoneCallback& callback) {
    if (space_->core == nullptr || !space_->core->on_its_thread()) [[unlikely]]
      refuse_callback();
    space_->core->ready.reserve();
    if (!is_done()) return append(callback);
    ++references_;
    space_->core->ready.push(Entry(callback));
  }
  /// From here until release() the future stays, though nobody else may hold it. Not by a count,
  /// while there is one listener alone: that is two writes less for each wait.
  [[gnu::always_inline]] void listen(Waiter& waiter) noexcept { append(waiter); }
  /// The waiter goes on; let_go_if_unheld() follows.
  [[gnu::always_inline]] void release(Waiter& waiter) noexcept {
    if (first_ == &waiter) [[likely]] {
      first_ = nullptr;
    } else {
      --references_;  // see end_several(), abandon()
    }
  }
  [[gnu::always_inline]] void let_go_if_unheld() noexcept {
    if (references_ == 0) [[unlikely]]
      last_ref();
  }
  /// The waiter is to go on though the future is pending.
  void abandon(Waiter& waiter) noexcept {
    forget(waiter);
    ++references_;
  }
  bool has_listeners() const noexcept { return !is_done() && first_ != nullptr; }
  /// Not told any more. Of a callback: its place in the queue is given up, it is not disposed of.
  void forget(Listener& listener) noexcept;

  /// Throws what it ended with, if that is an error or a cancellation. Counts as retrieved.
  [[gnu::always_inline]] void get() {
    if (state_ != State::finished) [[unlikely]]
      throw_error();
  }
  /// The error it finished with, or null; throws Cancelled, or InvalidStateError if not done.
  std::exception_ptr exception();
  /// Takes the exception that a cancelled one ends with, as its awaiter would.
  std::exception_ptr take_cancelled() noexcept;
  /// The one that whoever asks after its awaiter takes.
  std::exception_ptr cancelled_again() const noexcept;
  /// What a failed or cancelled one ended with.
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Nobody needs to be told of its error any more.
  void set_retrieved() noexcept { unretrieved_ = false; }
  /// Tells the exception handler if nobody took its error.
  void report_unretrieved() noexcept;

  void add_ref() noexcept { ++references_; }
  void drop_ref() noexcept {
    if (references_ != 1) {
      --references_;
      return;
    }
    if (unretrieved_ || watched_ || first_ != nullptr) [[unlikely]]
      return last_ref();
    if (plain_ && error_ == nullptr) return space_->give_back(this, plain_size);
    destroy();
  }
  std::uint32_t references() const noexcept { return references_; }
  /// Calls function(listener) for each, in order.
  template <class Function>
  void for_each_listener(Function&& function) const {
    if (is_done()) return;  // they are told
    for (Listener* one = first_; one != nullptr; one = one->next_) function(*one);
  }

  /// Throws RuntimeError on another thread than its loop's, while there is one.
  void check_thread(const char* call) const;

  /// The place of the value of a future that has one.
  void* slot() noexcept { return reinterpret_cast<std::byte*>(this) + slot_ * slot_step; }
  /// For reports: the number of the task that has what a Waiting waits for, as long as it does; 0,
  /// or one that no task has, if that isn't known.
  std::uint64_t holder() const noexcept;

 protected:
  ~FutureBase() = default;
  /// Nobody holds it any more.
  virtual void destroy() noexcept {}
  /// No handle does, while it is watched: counts what keeps it going from now on.
  virtual void last_handle_dropped() noexcept {}

  /// Throws InvalidStateError if it is done, RuntimeError on another thread or after the loop's
  /// end. Returns where its listeners go: as this thread's own, which is known sooner than the
  /// space's.
  [[gnu::always_inline]] Core& check_can_end(const char* call) const {
    Core* core = this_core;
    if (core == nullptr || core != space_->core || state_ != State::pending) [[unlikely]]
      return check_can_end_aside(call);
    return *core;
  }
  [[gnu::always_inline]] void end(State state) noexcept { end(state, *space_->core); }
  [[gnu::always_inline]] void end(State state, Core& core) noexcept {
    state_ = state;
    Listener* const one = first_;
    if (one == nullptr) return;
    if (one->next_ != nullptr) [[unlikely]]
      return end_several(core);
    one->previous_ = nullptr;
    if (one->waiter_) [[likely]] {
      // Found without a load: what is done after a switch waits for all that the switch loads.
      core.ready.push(Entry(lowlevel::Fiber::of(*static_cast<Waiter*>(one))));
    } else {
      first_ = nullptr;
      ++references_;  // the callback's
      core.ready.push(Entry(*static_cast<DoneCallback*>(one)));
    }
  }
  /// The other half: more than one listener.
  void end_several(Core& core) noexcept;
  /// The same where the thread's scheduler doesn't run.
  Core& check_can_end_aside(const char* call) const;
  [[noreturn]] void refuse_end(const char* call) const;
  [[noreturn]] void refuse_set(const char* call) const;
  [[noreturn]] void refuse_callback() const;
  [[noreturn]] void throw_error();
  void last_ref() noexcept;
  bool is_held_by_waiter() const noexcept;

  /// Of most futures: this, and a value, in one cache line.
  static constexpr std::size_t plain_size = cache_line;
  /// Where slot() is, is told in steps of so many bytes.
  static constexpr std::size_t slot_step = 8;

  // One cache line, as a task's first. g++ looks at two of the flags at once only if they are no
  // bools.
  TaskSpace* space_;
  // What it failed with, or the Cancelled it ended with. Of a task before that, and of one that
  // ended well: the Cancelled that cancel() brought last.
  std::exception_ptr error_;
  // Those that wait. Of one that is done: the waiter that it had alone, until that goes on.
  Listener* first_ = nullptr;
  std::uint32_t references_ = 1;
  State state_ = State::pending;
  bool on_stack_ : 1 = false;
  std::uint8_t unretrieved_ : 1 = false;  // it failed, and nobody knows
  // What keeps it going is not counted as a reference, so that the last handle is seen to go: a
  // gather's children; in debug mode, a task's loop.
  std::uint8_t watched_ : 1 = false;
  bool message_once_ : 1 = false;   // of a cancelled one: see take_cancelled()
  bool has_function_ : 1 = false;   // a task that has not destroyed its function
  bool has_extras_ : 1 = false;     // a task that may hold more than most: see TaskBase
  std::uint8_t plain_ : 1 = false;  // of plain_size, and only its memory is to be given back
  // No bit is left out, or a new future's flags are not one word: what lay there would be read.
  std::uint8_t filler_ : 1 = false;
  std::uint8_t slot_ = 0;  // see slot()
  bool is_task_ = false;   // for good: other threads may ask

 private:
  [[gnu::always_inline]] void append(Listener& one) noexcept {
    if (first_ == nullptr) [[likely]] {
      first_ = one.previous_ = &one;
    } else {
      one.previous_ = first_->previous_;
      one.previous_->next_ = first_->previous_ = &one;
    }
  }
};

/// What a fiber waits for in a lock, a queue, a timer: a future on its own stack, so nothing is
/// allocated. Whoever lets it go on calls finish(); a cancelled task cancels it.
class JUMPCUT_API Waiting final : public FutureBase {
 public:
  /// `holder` is where holder() is read from.
  Waiting(TaskSpace& space, const char* what, std::uint64_t* holder = nullptr) noexcept
      : FutureBase(space), what_(what), holder_(holder) {
    on_stack_ = true;
  }
  ~Waiting() = default;

  const char* what() const noexcept override { return what_; }
  std::uint64_t holder() const noexcept { return holder_ == nullptr ? 0 : *holder_; }

 private:
  const char* const what_;
  const std::uint64_t* const holder_;
};

inline std::uint64_t FutureBase::holder() const noexcept {
  if (!on_stack_ || is_done() || space_->core == nullptr) return 0;
  return static_cast<const Waiting*>(this)->holder();
}

/// A counted reference to a future's state.
template <class State>
class Ref {
 public:
  Ref() noexcept = default;
  /// Takes over a reference that is counted already.
  static Ref adopt(State& state) noexcept {
    Ref ref;
    ref.state_ = &state;
    return ref;
  }
  explicit Ref(State* state) noexcept : state_(state) {
    if (state_ != nullptr) state_->add_ref();
  }
  template <class Other>
  // NOLINTNEXTLINE: it converts as the pointer would
  requires std::is_convertible_v<Other*, State*> Ref(const Ref<Other>& other)
  noexcept : Ref(other.get()) {}
  Ref(const Ref& other) noexcept : Ref(other.state_) {}
  Ref(Ref&& other) noexcept : state_(other.state_) { other.state_ = nullptr; }
  Ref& operator=(Ref other) noexcept {
    State* mine = state_;
    state_ = other.state_;
    other.state_ = mine;
    return *this;
  }
  ~Ref() {
    if (state_ != nullptr) state_->drop_ref();
  }

  /// The reference is the caller's to drop.
  State& release() noexcept {
    State& state = *state_;
    state_ = nullptr;
    return state;
  }
  State* get() const noexcept { return state_; }
  State& operator*() const noexcept { return *state_; }
  State* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  State* state_ = nullptr;
};

}  // namespace jumpcut::impl
