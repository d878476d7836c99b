// A process pool's worker: what makes it, and what it does.

#pragma once

#include <jumpcut/impl/remote_job.hpp>

#include "io/child_process.hpp"
#include "loop/loop_state.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace jumpcut::impl {

/// One call, and the process that makes it. The process leaves its result in a file without a name,
/// so that it need not wait for us, nor we for who else may have a pipe open.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  explicit Worker(std::unique_ptr<RemoteJob> job) noexcept : job_(std::move(job)) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// Forks, in a callback of the loop, which calls ended() later. Throws std::system_error,
  /// ResourceError; then there is no process.
  void start(LoopState& loop, std::function<void()> ended);
  /// It has ended: so does its future, if that is not done. In a task it may wait for its turn.
  void finish();
  /// To copy it at once would hold up the loop.
  bool has_much() const noexcept;
  void kill() const noexcept { child_.kill(); }

  RemoteJob& job() const noexcept { return *job_; }

 private:
  [[noreturn]] void work() noexcept;
  void write_error(const std::exception_ptr& error) noexcept;
  void take_result();

  std::unique_ptr<RemoteJob> job_;
  int result_ = -1;
  ChildProcess child_;
  std::shared_ptr<Outsiders> outsiders_;
  std::optional<AtWork> at_work_;
};

}  // namespace jumpcut::impl
