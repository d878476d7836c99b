#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

namespace jumpcut::impl {

/// Throws RuntimeError: the generator was moved from.
[[noreturn]] JUMPCUT_API void throw_no_generator(const char* call);

/// The untyped half of a generator: a job whose fiber is switched to and back by whoever pulls. The
/// task goes with it, so that whatever waits there is its wait.
class JUMPCUT_API GeneratorBase : public Job {
 public:
  enum class State : std::uint8_t { fresh, running, suspended, done };

  explicit GeneratorBase(std::size_t stack_size) noexcept : stack_size_(stack_size) {}

  State state() const noexcept { return state_; }
  /// What was yielded last, on the generator's stack.
  void* value() const noexcept { return value_; }

  /// Runs it up to its next yield; false if it ended. Throws what it ended with, the first time.
  [[gnu::always_inline]] bool pull() {
    if (state_ != State::suspended) [[unlikely]] {
      if (state_ == State::done) return false;
      prepare("Generator.next");
    }
    go_there("Generator.next");
    if (state_ == State::suspended) [[likely]]
      return true;
    finish();
    return false;
  }
  /// On the generator's fiber: gives a value to who pulled, and goes on with the next pull.
  [[gnu::always_inline]] void hand_out(void* value) {
    Core* core = this_core;
    if (core == nullptr || core->running != fiber_) [[unlikely]]
      refuse_outside();
    TaskBase* task = TaskBase::current();
    if (task == nullptr) [[unlikely]]
      refuse_while_ending();
    if (task->scope() != scope_ || task->is_in_other_context()) [[unlikely]]
      refuse_inside_scope(*task);
    value_ = value;
    state_ = State::suspended;
    task_ = nullptr;
    task->come_back();
    SchedulerDoor::go_back(*core);
    if (closing_) [[unlikely]]
      throw_exit();
  }
  /// Ends it; may wait. Throws what its clean-up throws.
  void close();
  /// Ends it at once, in its handle's destructor.
  void end_now() noexcept;

  /// The running fiber is that of a generator whose handle is being destroyed.
  static bool is_ending(const Core& core) noexcept;
  /// In a task, when the loop ends: closes all that are left, and reports what they throw.
  static void close_all(TaskSpace& space);
  /// The loop ends, and those that are left will never go on.
  static void abandon_all(TaskSpace& space) noexcept;

  void run() final;
  void dispose() noexcept final {}
  const Job& namesake() const noexcept final {
    return task_ != nullptr ? static_cast<const Job&>(*task_) : *this;
  }

 protected:
  ~GeneratorBase() = default;

  virtual void call_body() = 0;
  /// Destroys the function, if it is still there.
  virtual void drop_body() noexcept = 0;

 private:
  [[gnu::always_inline]] void go_there(const char* call) {
    TaskBase& task = TaskBase::running(call);
    if (&task.space() != space_) [[unlikely]]
      refuse_loop(call);
    state_ = State::running;
    task_ = &task;
    scope_ = task.scope();
    task.visit(*fiber_);
  }
  void prepare(const char* call);
  void finish();
  void leave() noexcept;
  [[noreturn]] static void throw_exit();
  [[noreturn]] static void refuse_outside();
  [[noreturn]] void refuse_loop(const char* call) const;
  [[noreturn]] void refuse_inside_scope(const TaskBase& task) const;
  [[noreturn]] void refuse_while_ending();

  State state_ = State::fresh;
  bool closing_ = false;
  std::uint16_t ignored_ = 0;  // how often it yielded although it is to end
  void* value_ = nullptr;
  TaskBase* task_ = nullptr;  // in whose name it runs
  ScopeBase* scope_ = nullptr;
  lowlevel::Fiber* fiber_ = nullptr;
  TaskSpace* space_ = nullptr;  // null before it begins, and once the loop is gone
  std::exception_ptr error_;
  std::size_t stack_size_;
  char own_name_[32];  // "generator-N", as long as it is in no task's name
  GeneratorBase* next_ = nullptr;
  GeneratorBase* previous_ = nullptr;
};

}  // namespace jumpcut::impl
