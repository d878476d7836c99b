#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <exception>
#include <utility>

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

  /// The one whose cancellation reaches the code in `innermost`, or null.
  static ScopeBase* in_effect(ScopeBase* innermost) noexcept {
    for (ScopeBase* scope = innermost; scope != nullptr; scope = scope->outer_) {
      if (scope->cancelled_ != nullptr) return scope;
      if (scope->shield_) return nullptr;
    }
    return nullptr;
  }
  /// Whether one around it is cancelled, and reaches what is inside.
  bool cancelled_from_outside() const noexcept { return !shield_ && in_effect(outer_) != nullptr; }

  /// From here on; once.
  void cancel(std::exception_ptr cancelled) {
    const bool before = in_effect(task_.scope()) != nullptr;
    cancelled_ = std::move(cancelled);
    task_.scope_changed(before);
  }
  void set_shield(bool shield) {
    const bool before = in_effect(task_.scope()) != nullptr;
    shield_ = shield;
    task_.scope_changed(before);
  }

 protected:
  ~ScopeBase() { task_.set_scope(outer_); }

 private:
  TaskBase& task_;
  ScopeBase* outer_;
  std::exception_ptr cancelled_;
  bool shield_ = false;
};

/// While it lives, no scope around it reaches the task.
class Shield final : public ScopeBase {
 public:
  explicit Shield(TaskBase& task) : ScopeBase(task) { set_shield(true); }
};

}  // namespace jumpcut::impl
