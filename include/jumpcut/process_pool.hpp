#pragma once

#include <jumpcut/executor.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/impl/export.hpp>
#include <jumpcut/impl/remote_job.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace jumpcut {

namespace impl {
class ProcessPoolState;
}  // namespace impl

/// The worker process of a call ended before the call did: it crashed, was killed, or left by
/// exit(). concurrent.futures.process.BrokenProcessPool, but the pool goes on.
class JUMPCUT_API BrokenProcessPool : public std::runtime_error {
 public:
  /// `returncode` is what it exited with, or minus the signal that ended it.
  explicit BrokenProcessPool(int returncode);

  /// SIGSEGV, SIGABRT, ...; 0 if it was none.
  int signal() const noexcept { return returncode_ < 0 ? -returncode_ : 0; }
  /// What it exited with; -1 if a signal ended it.
  int exit_code() const noexcept { return returncode_ < 0 ? -1 : returncode_; }

 private:
  int returncode_;
};

/// What a call in a worker process threw. The exception itself stays there; its type and text, and
/// those that it is nested around, are in what().
class JUMPCUT_API RemoteError : public std::runtime_error {
 public:
  RemoteError(const std::string& text, std::string type, std::string message)
      : std::runtime_error(text), type_(std::move(type)), message_(std::move(message)) {}

  /// "std::out_of_range".
  const std::string& type() const noexcept { return type_; }
  /// Its what().
  const std::string& message() const noexcept { return message_; }

 private:
  std::string type_;
  std::string message_;
};

struct ProcessPoolOptions {
  /// How many workers may be there at once; 0 for as many as the process may use processors.
  std::size_t max_workers = 0;
};

/// Makes calls in forked processes, one process a call, in the order in which they were submitted:
/// for work that takes a processor, and for code that may crash. ProcessPoolExecutor, for any
/// function and whatever it holds.
///
/// The loop forks the worker between two steps, on the thread's own stack. There the call sees a
/// copy of the program's memory as it was then, and changes nothing here. It runs in no loop, and
/// may make its own. The program's files are open to it, but its sockets, pipes and the like are
/// not (EBADF), so that nobody waits for the end of what a worker still holds; it reads nothing
/// from standard input. What it prints comes out. Other threads are not there, and what they had
/// locked stays locked. What the function holds is not destroyed there. A signal that a loop has a
/// handler for does what it did before; SIGINT is ignored then.
///
/// Belongs to the thread that made it; used in one loop of it at a time.
class JUMPCUT_API ProcessPool final {
 public:
  explicit ProcessPool(ProcessPoolOptions options = {});
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;
  /// Kills the workers, and cancels the futures of all calls that are not done.
  ~ProcessPool();

  /// Has function() called by a worker, and returns a future of what it returns. That may be void,
  /// what is trivially copyable, strings and other containers of such, and pairs, tuples and
  /// optionals of all of these. To cancel the future kills the worker, and so does the loop's end.
  /// The future fails with RemoteError if the call throws, BrokenProcessPool if its process ends
  /// without it, std::system_error or ResourceError if there can be no worker. Throws RuntimeError
  /// where no loop runs, on another thread, in a worker, and after shutdown().
  template <class Function>
  auto submit(Function&& function) -> Future<impl::CallResult<Function>>;

  /// Waits until all calls are done, if `wait`; otherwise they go on. Takes no calls any more; with
  /// `cancel_jobs`, those that have not begun are cancelled. Throws Cancelled, and leaves them.
  void shutdown(bool wait = true, bool cancel_jobs = false);

  std::size_t max_workers() const noexcept;
  /// Workers that are there now.
  std::size_t worker_count() const noexcept;

 private:
  void add(std::unique_ptr<impl::RemoteJob> job);
  void check(const char* call) const;

  std::shared_ptr<impl::ProcessPoolState> state_;
};

template <class Function>
auto ProcessPool::submit(Function&& function) -> Future<impl::CallResult<Function>> {
  using T = impl::CallResult<Function>;
  static_assert(!std::is_reference_v<std::invoke_result_t<std::decay_t<Function>&>>,
                "a worker process returns a value: what a reference refers to stays there");
  static_assert(std::is_void_v<T> || impl::Remote<T>,
                "this type can't come back from a worker process: return void, a trivially "
                "copyable type that is no pointer or view, a string, a vector or other container, "
                "or a pair, tuple or optional of these");
  check("submit");
  impl::refuse_null(function, "submit");
  Future<T> result;
  add(std::make_unique<impl::RemoteJobOf<std::decay_t<Function>, T>>(
      result, std::forward<Function>(function)));
  return result;
}

/// pool->submit(function): loop.run_in_executor.
template <std::same_as<ProcessPool> Pool, class Function>
auto run_in_executor(Pool* pool, Function&& function) {
  return pool->submit(std::forward<Function>(function));
}

}  // namespace jumpcut
