#pragma once

#include <jumpcut/impl/core.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <typeinfo>

namespace jumpcut {
class Loop;
}  // namespace jumpcut

namespace jumpcut::impl {

class FutureBase;
class GeneratorBase;
class TaskBase;
class TaskOrigins;

/// What the tasks and futures of one loop share. Outlives the loop as long as one of them is held:
/// the loop is then gone (`core` is null), and whatever needs it says so.
struct JUMPCUT_API TaskSpace {
  Core* core;
  Loop* loop = nullptr;
  TaskBase* first_task = nullptr;  ///< those that are not done, the newest first
  std::size_t task_count = 0;
  std::uint64_t loop_number = 0;  ///< no other loop of the process has it, now or later
  std::uint64_t task_numbers = 0;
  GeneratorBase* first_generator = nullptr;  ///< those that have begun and not ended
  std::uint64_t generator_numbers = 0;
  // Looked at together: see FutureBase's flags.
  std::uint8_t debug : 1 = false;
  std::uint8_t eager : 1 = false;  ///< tasks begin inside create_task
  const char* callback = nullptr;  ///< debug: the kind of the user's callback that ran last
  const std::type_info* callback_type = nullptr;   ///< debug: what it was kept in
  std::shared_ptr<TaskOrigins> origins = nullptr;  ///< debug: where tasks were created
  std::uint64_t swallowed_cancellations = 0;
  /// Reports to the loop's exception handler; never throws.
  void (*report)(TaskSpace& space, std::string_view message, std::exception_ptr error,
                 FutureBase* future) noexcept = nullptr;

  explicit TaskSpace(Core& owner) : core(&owner) {}
  TaskSpace(const TaskSpace&) = delete;
  TaskSpace& operator=(const TaskSpace&) = delete;

  void* take(std::size_t size) { return memory_.take(size); }
  void give_back(void* memory, std::size_t size) noexcept {
    if (!memory_.keep(memory, size)) [[unlikely]]
      give_back_aside(memory, size);  // the last thing its callers do: they then need no frame
  }
  /// The loop ends. What was taken is counted from here on, and the space goes with the last.
  void close() noexcept;

 private:
  ~TaskSpace() = default;
  void give_back_aside(void* memory, std::size_t size) noexcept;

  Memory memory_;
};

[[noreturn]] JUMPCUT_API void throw_no_loop(const char* call);

/// The running thread's; throws RuntimeError where no loop runs.
inline TaskSpace& running_space(const char* call) {
  const Core* core = this_core;
  if (core == nullptr || core->tasks == nullptr) [[unlikely]]
    throw_no_loop(call);
  return *core->tasks;
}

}  // namespace jumpcut::impl
