#include "task/awaiters.hpp"

#include <jumpcut/impl/task_base.hpp>

#include <algorithm>

namespace jumpcut::impl {

namespace {

void add(std::vector<FutureBase*>& to, const FutureBase& future) {
  future.for_each_listener([&](Listener& one) {
    FutureBase* found = nullptr;
    if (one.is_waiter()) {
      found = TaskBase::of(static_cast<Waiter&>(one));
    } else {
      found = static_cast<DoneCallback&>(one).awaiter();
      // What lives on a fiber's stack stands for the task that waits there.
      if (found != nullptr && found->is_on_stack()) return add(to, *found);
    }
    if (found != nullptr && std::find(to.begin(), to.end(), found) == to.end()) to.push_back(found);
  });
}

}  // namespace

std::vector<TaskBase*> tasks_of(const TaskSpace& space) {
  std::vector<TaskBase*> tasks;
  tasks.reserve(space.task_count);
  for (TaskBase* task = space.first_task; task != nullptr; task = task->next_task()) {
    tasks.push_back(task);
  }
  std::reverse(tasks.begin(), tasks.end());
  return tasks;
}

std::vector<FutureBase*> awaiters_of(const FutureBase& future) {
  std::vector<FutureBase*> awaiters;
  add(awaiters, future);
  return awaiters;
}

}  // namespace jumpcut::impl
