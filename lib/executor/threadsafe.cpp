#include <jumpcut/threadsafe.hpp>

#include "executor/loop_executor.hpp"
#include "loop/loop_state.hpp"

#include <utility>

namespace jumpcut::impl {

void set_loop(ThreadState& state, Loop& loop) {
  state.set_thread(LoopState::of(loop).core.thread);
}

void fail_closed(ThreadState& state) noexcept {
  if (state.begin())
    state.fail(std::make_exception_ptr(
        LoopClosed("run_coroutine_threadsafe: the loop was closed before the task was done")));
}

void Follower::end() {
  FutureBase& done = task.base("run_coroutine_threadsafe");
  if (done.is_cancelled()) {
    state->cancel();
  } else if (const std::exception_ptr error = done.exception()) {
    if (state->begin()) state->fail(error);
  } else if (state->begin()) {
    store(*state, done);
    state->finish();
  }
}

void follow(const AnyTask& task, const std::shared_ptr<ThreadState>& state,
            void (*store)(ThreadState& state, FutureBase& task)) {
  LoopState& loop = LoopState::running("run_coroutine_threadsafe");
  const auto follower = std::make_shared<Follower>(Follower{task, state, store});
  LoopExecutor& executor = LoopExecutor::of(loop);
  executor.add(follower);
  task.add_done_callback([follower, &executor] {
    follower->end();
    follower->task = {};
    executor.remove(follower);
  });
  // Held weakly: the future may be dropped by any thread, the task only here.
  state->listen([weak = std::weak_ptr<Follower>(follower), posts = loop.posts] {
    const auto listening = weak.lock();
    if (listening == nullptr || !listening->state->is_cancelled()) return;
    post_to(*posts, std::make_unique<PostedOf<std::function<void()>>>([weak] {
      const auto found = weak.lock();
      if (found != nullptr && found->task) found->task.cancel();
    }));
  });
}

}  // namespace jumpcut::impl
