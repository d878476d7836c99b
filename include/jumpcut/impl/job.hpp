#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstddef>
#include <cstdint>

namespace jumpcut::lowlevel {
class StackPool;
}  // namespace jumpcut::lowlevel

namespace jumpcut::impl {

/// What a fiber is started for. Small, and without a stack until its turn comes.
class JUMPCUT_API Job {
 public:
  Job() noexcept = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// On the fiber. What it throws ends the program, with the fiber's name.
  virtual void run() = 0;
  /// Afterwards, or if it will never run: destroys it and gives its memory back.
  virtual void dispose() noexcept = 0;

  /// Instead of run(), without a stack, if `withdrawn` is set when its turn comes.
  virtual void end_unstarted() noexcept {}
  /// In a handler, when its turn comes and there is no stack for it. True: it is told, and will not
  /// be run; false: the exception comes out of Scheduler::run(), which may try again.
  virtual bool end_without_stack() noexcept { return false; }

  /// Whose name its fiber goes by: its own, or the task's in whose name it runs. From a signal
  /// handler too.
  virtual const Job& namesake() const noexcept { return *this; }

  char* name = nullptr;      // owned by the job, or null
  std::uint64_t number = 0;  // of the scheduler's jobs, or the loop's tasks, from 1
  lowlevel::StackPool* pool = nullptr;
  bool is_task = false;    // "Task-N" where there is no name, or else "fiber-N"
  bool withdrawn = false;  // see end_unstarted()

  const char* prefix() const noexcept { return is_task ? "Task-" : "fiber-"; }

 protected:
  ~Job() = default;
};

/// What the hub runs in its turn, on the thread's own stack.
class JUMPCUT_API Callback {
 public:
  Callback() noexcept = default;
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  /// On the hub. What it throws comes out of Scheduler::run().
  virtual void run() = 0;
  /// Afterwards, or if it will never run: destroys it and gives its memory back.
  virtual void dispose() noexcept = 0;

 protected:
  ~Callback() = default;
};

}  // namespace jumpcut::impl
