#pragma once

#include <jumpcut/jumpcut.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "clock.hpp"
#include "errors.hpp"
#include "value.hpp"

namespace conformance {

// Runs one program, once. The ops are told in README.md; oracle.py has the same ones in the same
// order, in Python.
class Interpreter {
 public:
  // `scripts` must live as long as this.
  explicit Interpreter(const Json& scripts);
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // The trace, which ends with how main ended.
  Json run_program();

 private:
  using Future = jumpcut::Future<Value>;
  using Task = jumpcut::Task<Value>;
  using Op = void (Interpreter::*)(const Json& op);
  using Queue =
      std::variant<jumpcut::Queue<Value>, jumpcut::LifoQueue<Value>, jumpcut::PriorityQueue<Value>>;

  static const std::map<std::string, Op>& table();

  std::string run_main();

  // Into the trace, in the name of the running task, or of `who`.
  void log(const std::string& event);
  void log(const std::string& event, const std::string& who);

  Value run_script(std::size_t index);
  void run_ops(const Json& ops);
  void run_op(const Json& op);

  Task spawn(std::size_t index);
  std::vector<Task> spawn_each(const Json& indexes);
  std::string next_name();
  Future& variable(const Json& name);
  std::vector<Future> named(const Json& variables);
  std::chrono::nanoseconds after(const Json& milliseconds);
  std::optional<std::chrono::nanoseconds> after_if_any(const Json& milliseconds);

  void op_log(const Json& op);
  void op_sleep(const Json& op);
  void op_return(const Json& op);
  void op_raise(const Json& op);
  void op_guard(const Json& op);
  void op_repeat(const Json& op);
  void op_try(const Json& op);
  void op_call(const Json& op);

  void op_spawn(const Json& op);
  void op_await(const Json& op);
  void op_cancel(const Json& op);
  void op_cancel_msg(const Json& op);
  void op_cancel_self(const Json& op);
  void op_uncancel(const Json& op);
  void op_cancelling(const Json& op);
  void op_state(const Json& op);
  void op_all_tasks(const Json& op);

  void op_gather(const Json& op);
  void op_gather_vars(const Json& op);
  template <class Awaitable>
  void gather(const std::vector<Awaitable>& children, bool return_exceptions);
  void op_wait(const Json& op);
  void op_as_completed(const Json& op);
  void op_group(const Json& op);

  void op_timeout(const Json& op);
  void op_wait_for(const Json& op);
  void op_wait_for_var(const Json& op);
  void op_shield(const Json& op);

  void op_future(const Json& op);
  void op_set_result(const Json& op);
  void op_set_error(const Json& op);
  void op_set_later(const Json& op);
  void op_on_done(const Json& op);
  void op_call_soon(const Json& op);
  void op_call_later(const Json& op);
  void op_cancel_handle(const Json& op);

  void op_lock(const Json& op);
  void op_semaphore(const Json& op);
  void op_event_wait(const Json& op);
  void op_event_set(const Json& op);
  void op_event_clear(const Json& op);
  void op_condition_wait(const Json& op);
  void op_condition_notify(const Json& op);
  void op_barrier(const Json& op);

  Queue& queue(const Json& op);
  void op_put(const Json& op);
  void op_get(const Json& op);
  void op_put_nowait(const Json& op);
  void op_get_nowait(const Json& op);
  void op_task_done(const Json& op);
  void op_join(const Json& op);
  void op_shutdown(const Json& op);

  const Json& scripts_;
  Json trace_ = Json::array();
  bool over_ = false;  // Tasks that are left behind do nothing any more.
  int spawned_ = 0;
  Clock clock_;
  jumpcut::Loop loop_;
  std::map<std::string, Future> variables_;
  std::map<std::string, jumpcut::Handle> handles_;
  std::map<std::string, jumpcut::Lock> locks_;
  std::map<std::string, jumpcut::Semaphore> semaphores_;
  std::map<std::string, jumpcut::Event> events_;
  std::map<std::string, jumpcut::Condition> conditions_;
  std::map<std::string, jumpcut::Barrier> barriers_;
  std::map<std::string, Queue> queues_;
};

}  // namespace conformance
