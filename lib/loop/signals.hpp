// Signals that a loop calls functions for.

#pragma once

#include <jumpcut/impl/loop_handle.hpp>

#include "loop/loop_state.hpp"

#include <atomic>
#include <map>
#include <memory>

#include <signal.h>

namespace jumpcut::impl {

/// One signal's function. The signal's handler, on whichever thread it comes, pushes it to the
/// loop's queue of posts, where it is once at most.
class SignalCall final : public PostedCallback {
 public:
  /// Throws RuntimeError if another loop has the signal.
  static SignalCall* install(LoopState& loop, int signal, Ref<LoopHandle> function);
  /// The signal does what it did before; what came of it already is dropped. Deletes this, maybe
  /// later.
  void uninstall() noexcept;
  void replace(Ref<LoopHandle> function) noexcept;
  /// Of all loops, in a forked process: see LoopState::leave_to_parent().
  static void forget_all() noexcept;

  void run() override;
  void dispose() noexcept override;

 private:
  SignalCall(LoopState& loop, int signal, Ref<LoopHandle> function)
      : posts_(loop.posts),
        outsiders_(loop.outsiders),
        function_(std::move(function)),
        signal_(signal) {}
  ~SignalCall() = default;
  static void handle(int signal);

  const std::shared_ptr<PostQueue> posts_;
  const std::shared_ptr<Outsiders> outsiders_;
  Ref<LoopHandle> function_;
  const int signal_;
  struct sigaction before_ = {};
  std::atomic<int> came_{0};  // not 0: it is in a queue
  bool runs_ = false;
  bool removed_ = false;
};

/// A loop's.
class SignalCalls final : public LoopPart {
 public:
  /// Null if it never had one.
  static SignalCalls* find(LoopState& loop) noexcept;
  static SignalCalls& of(LoopState& loop);

  explicit SignalCalls(LoopState& loop) noexcept : loop_(loop) {}

  void add(int signal, Ref<LoopHandle> function);
  /// False if there was none.
  bool remove(int signal) noexcept;
  void shut_down(bool may_wait) override;

 private:
  LoopState& loop_;
  std::map<int, SignalCall*> calls_;
};

}  // namespace jumpcut::impl
