// Tasks that wait until one of our own objects lets them go on.

#pragma once

#include <jumpcut/impl/task_base.hpp>

#include <vector>

namespace jumpcut::impl {

/// One object's. Must not be destroyed while a task is in it.
class Waiters {
 public:
  /// Returns once somebody calls wake_all(). Throws Cancelled, RuntimeError outside a task.
  void wait(const char* call) {
    TaskBase& task = TaskBase::running(call);
    Waiting waiting(task.space(), call);
    struct Listed {
      std::vector<Waiting*>& all;
      Waiting* one;
      Listed(std::vector<Waiting*>& where, Waiting* which) : all(where), one(which) {
        all.push_back(one);
      }
      ~Listed() { std::erase(all, one); }
    };
    const Listed listed(waiting_, &waiting);
    TaskBase::wait_until_done(waiting, call);
    waiting.get();
  }
  void wake_all() {
    for (Waiting* one : waiting_) {
      if (!one->is_done() && one->space().core != nullptr) one->finish();
    }
  }

 private:
  std::vector<Waiting*> waiting_;
};

}  // namespace jumpcut::impl
