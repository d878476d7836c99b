#include "loop/deadlock.hpp"

#include <jumpcut/error.hpp>

#include "base/symbols.hpp"
#include "loop/loop_state.hpp"
#include "task/awaiters.hpp"
#include "task/task_stack.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace jumpcut::impl {

namespace {

constexpr std::size_t most_tasks = 20;

/// Finds futures that wait for themselves, by way of others. Without recursion: who waits for whom
/// may be a long chain.
class Circles {
 public:
  /// Each waits for the next, and the last for the first.
  using Circle = std::vector<const FutureBase*>;

  explicit Circles(const std::vector<TaskBase*>& tasks) {
    for (TaskBase* task : tasks) {
      if (task->waiting_on() == nullptr) continue;
      const std::uint64_t holder = task->waiting_on()->holder();
      if (holder != 0) wait_for_holder_[holder].push_back(task);
    }
    for (const TaskBase* task : tasks) follow(*task);
  }
  const std::vector<Circle>& found() const noexcept { return found_; }

 private:
  struct Place {
    const FutureBase* future;
    std::vector<FutureBase*> awaiters;
    std::size_t next = 0;
  };

  void follow(const FutureBase& from) {
    enter(from);
    while (!path_.empty()) {
      Place& place = path_.back();
      if (place.next < place.awaiters.size()) {
        enter(*place.awaiters[place.next++]);
      } else {
        on_path_[place.future] = false;
        path_.pop_back();
      }
    }
  }
  void enter(const FutureBase& future) {
    const auto [place, is_new] = on_path_.emplace(&future, true);
    if (is_new) return path_.push_back({&future, awaiters(future)});
    if (!place->second) return;
    Circle circle;
    auto one = path_.rbegin();
    for (; one->future != &future; ++one) circle.push_back(one->future);
    circle.push_back(&future);
    found_.push_back(std::move(circle));
  }

  /// Those too that wait for a lock which the task has.
  std::vector<FutureBase*> awaiters(const FutureBase& future) const {
    std::vector<FutureBase*> all = awaiters_of(future);
    if (!future.is_task()) return all;
    const auto place = wait_for_holder_.find(static_cast<const TaskBase&>(future).number);
    if (place != wait_for_holder_.end()) {
      all.insert(all.end(), place->second.begin(), place->second.end());
    }
    return all;
  }

  std::unordered_map<std::uint64_t, std::vector<FutureBase*>> wait_for_holder_;  // by its number
  std::unordered_map<const FutureBase*, bool> on_path_;                          // or seen before
  std::vector<Place> path_;  // each is awaited by the next
  std::vector<Circle> found_;
};

std::string text_of(const Circles::Circle& circle) {
  std::string text = "  in a circle: " + circle.back()->describe() + " waits for ";
  if (circle.size() == 1) return text + "itself\n";
  for (std::size_t i = 0; i + 1 < circle.size() && i < most_tasks; ++i) {
    text += circle[i]->describe() + ", that for ";
  }
  if (circle.size() > most_tasks + 1) text += "many others, and so for ";
  return text + circle.back()->describe() + "\n";
}

}  // namespace

std::string parked_tasks_text(const TaskSpace& space) {
  const std::vector<TaskBase*> tasks = tasks_of(space);
  std::string text;
  Symbols symbols;
  const std::size_t told = std::min(tasks.size(), most_tasks);
  for (std::size_t i = 0; i < told; ++i) text += "  " + parked_text(*tasks[i], symbols);
  if (tasks.size() > told) {
    text += "  and " + std::to_string(tasks.size() - told) +
            (tasks.size() - told == 1 ? " more task\n" : " more tasks\n");
  }
  const Circles circles(tasks);
  for (const Circles::Circle& circle : circles.found()) text += text_of(circle);
  return text;
}

void LoopState::throw_deadlock() {
  std::string text =
      "deadlock: nothing is ready, no timer is set, no descriptor is watched, and nobody could "
      "post\n" +
      parked_tasks_text(*space);
  text.pop_back();
  throw Deadlock(text);
}

}  // namespace jumpcut::impl
