#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <exception>

namespace jumpcut::impl {

/// What TaskBase knows of a level-triggered scope (move_on_after): while it, or one around it, is
/// cancelled, everything the task parks on is cancelled.
class ScopeBase {
 public:
  explicit ScopeBase(TaskBase& task) noexcept : task_(task), outer_(task.scope()) {
    task_.set_scope(this);
  }
  ScopeBase(const ScopeBase&) = delete;
  ScopeBase& operator=(const ScopeBase&) = delete;

  ScopeBase* outer() const noexcept { return outer_; }
  TaskBase& task() const noexcept { return task_; }
  /// The Cancelled that it throws, or null as long as it is not cancelled.
  const std::exception_ptr& cancelled() const noexcept { return cancelled_; }

 protected:
  ~ScopeBase() { task_.set_scope(outer_); }

  std::exception_ptr cancelled_;

 private:
  TaskBase& task_;
  ScopeBase* outer_;
};

}  // namespace jumpcut::impl
