#pragma once

#include <jumpcut/error.hpp>
#include <jumpcut/impl/job.hpp>
#include <jumpcut/impl/task_space.hpp>
#include <jumpcut/lowlevel/park.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>

namespace jumpcut::impl {

/// One who is told when a future is done: a parked fiber, or a callback.
class Listener {
 public:
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  bool is_listed() const noexcept { return listed_; }
  bool is_waiter() const noexcept { return waiter_; }

 protected:
  explicit Listener(bool waiter) noexcept : waiter_(waiter) {}
  ~Listener() = default;

 private:
  friend class FutureBase;

  Listener* next_ = nullptr;
  Listener* previous_ = nullptr;
  bool listed_ = false;
  const bool waiter_;
};

/// A fiber that awaits the future. Lives on its stack: it goes on only after it was told.
class Waiter final : public Listener {
 public:
  Waiter() noexcept : Listener(true) {}

  lowlevel::Wait wait;
};

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
  enum class State : std::uint8_t { pending, cancelled, finished };

  /// `what` names it in reports: "future", "task", "sleep", "Lock.lock()".
  FutureBase(TaskSpace& space, const char* what) noexcept : space_(&space), what_(what) {}
  FutureBase(const FutureBase&) = delete;
  FutureBase& operator=(const FutureBase&) = delete;

  State state() const noexcept { return state_; }
  bool is_done() const noexcept { return state_ != State::pending; }
  bool is_cancelled() const noexcept { return state_ == State::cancelled; }
  /// It is done without error.
  bool is_well() const noexcept { return state_ == State::finished && error_ == nullptr; }
  bool is_task() const noexcept { return is_task_; }
  /// It lives on the stack of who waits for it, and has no handle.
  bool is_on_stack() const noexcept { return on_stack_; }
  TaskSpace& space() const noexcept { return *space_; }
  const char* what() const noexcept { return what_; }
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
    awaited_ = true;
    ++references_;
    space_->core->ready.push(Entry(callback));
  }
  [[gnu::always_inline]] void listen(Waiter& waiter) noexcept { append(waiter); }
  bool has_listeners() const noexcept { return first_ != nullptr; }
  /// Not told any more. Of a callback: its place in the queue is given up, it is not disposed of.
  void forget(Listener& listener) noexcept;

  /// Throws what it ended with, if that is an error or a cancellation. Counts as retrieved.
  [[gnu::always_inline]] void get() {
    if (error_ != nullptr || state_ != State::finished) [[unlikely]]
      throw_error();
  }
  /// The error it finished with, or null; throws Cancelled, or InvalidStateError if not done.
  std::exception_ptr exception();
  /// Takes the exception that a cancelled one ends with, as its awaiter would.
  std::exception_ptr take_cancelled() noexcept;
  /// The one that whoever asks after its awaiter takes.
  std::exception_ptr cancelled_again() const noexcept;
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Nobody needs to be told of its error any more.
  void set_retrieved() noexcept { unretrieved_ = false; }
  /// Tells the exception handler if nobody took its error.
  void report_unretrieved() noexcept;

  void add_ref() noexcept { ++references_; }
  void drop_ref() noexcept {
    if (--references_ != 0) return;
    if (unretrieved_ || watched_ || first_ != nullptr) [[unlikely]]
      return last_ref();
    if (plain_ && error_ == nullptr) return space_->give_back(this, plain_size);
    destroy();
  }
  std::uint32_t references() const noexcept { return references_; }
  /// Calls function(listener) for each, in order.
  template <class Function>
  void for_each_listener(Function&& function) const {
    for (Listener* one = first_; one != nullptr; one = one->next_) function(*one);
  }

  /// Throws RuntimeError on another thread than its loop's, while there is one.
  void check_thread(const char* call) const;

  /// The place of the value of a future that has one.
  void* slot() const noexcept { return slot_; }
  /// For reports: the number of the task that has what a Waiting waits for, as long as it does; 0,
  /// or one that no task has, if that isn't known.
  std::uint64_t holder() const noexcept {
    if (!on_stack_ || slot_ == nullptr || is_done() || space_->core == nullptr) return 0;
    return *static_cast<const std::uint64_t*>(slot_);
  }

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
    Listener* one = first_;
    if (one == nullptr) return;
    first_ = last_ = nullptr;
    do {
      Listener* next = one->next_;  // the listener may be gone once it is told
      one->listed_ = false;
      if (one->waiter_) {
        lowlevel::wake_parked(core, static_cast<Waiter*>(one)->wait);
      } else {
        ++references_;
        core.ready.push(Entry(*static_cast<DoneCallback*>(one)));
      }
      one = next;
    } while (one != nullptr);
  }
  /// The same where the thread's scheduler doesn't run.
  Core& check_can_end_aside(const char* call) const;
  [[noreturn]] void refuse_end(const char* call) const;
  [[noreturn]] void refuse_set(const char* call) const;
  [[noreturn]] void refuse_callback() const;
  [[noreturn]] void throw_error();
  void last_ref() noexcept;

  /// Of most futures: this, and a value as large as a string.
  static constexpr std::size_t plain_size = 96;

  // One cache line, as a task's first. g++ looks at two of the flags at once only if they are no
  // bools.
  TaskSpace* space_;
  std::exception_ptr error_;  // what it failed with, or the Cancelled it ended with
  void* slot_ = nullptr;      // see slot(), holder()
  const char* what_;
  std::uint32_t references_ = 1;
  State state_ = State::pending;
  bool on_stack_ : 1 = false;
  std::uint8_t unretrieved_ : 1 = false;  // it failed, and nobody knows
  // What keeps it going is not counted as a reference, so that the last handle is seen to go: a
  // gather's children; in debug mode, a task's loop.
  std::uint8_t watched_ : 1 = false;
  bool awaited_ : 1 = false;        // somebody waits or waited for it
  bool message_once_ : 1 = false;   // of a cancelled one: see take_cancelled()
  bool detached_ : 1 = false;       // a task whose handle may be dropped
  bool has_function_ : 1 = false;   // a task that has not destroyed its function
  std::uint8_t plain_ : 1 = false;  // of plain_size, and only its memory is to be given back
  bool has_extras_ = false;         // a task that may hold more than most: see TaskBase
  bool is_task_ = false;            // for good: other threads may ask

 private:
  [[gnu::always_inline]] void append(Listener& one) noexcept {
    one.listed_ = true;
    one.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &one;
    last_ = &one;
    awaited_ = true;
  }

  Listener* first_ = nullptr;
  Listener* last_ = nullptr;
};

/// What a fiber waits for in a lock, a queue, a timer: a future on its own stack, so nothing is
/// allocated. Whoever lets it go on calls finish(); a cancelled task cancels it.
class JUMPCUT_API Waiting final : public FutureBase {
 public:
  /// `holder` is where holder() is read from.
  Waiting(TaskSpace& space, const char* what, std::uint64_t* holder = nullptr) noexcept
      : FutureBase(space, what) {
    on_stack_ = true;
    slot_ = holder;
  }
  ~Waiting() = default;
};

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
