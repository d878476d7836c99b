#include "interpreter.hpp"

namespace conformance {
namespace {

const char* python(bool truth) {
  return truth ? "True" : "False";
}

std::string outcome_text(const Value& value) {
  return value.text();
}

std::string outcome_text(const jumpcut::Result<Value>& result) {
  return result.has_value() ? result.value().text() : error_text(result.error());
}

template <class Outcome>
std::string joined(const std::vector<Outcome>& outcomes) {
  std::string text;
  for (const Outcome& outcome : outcomes) {
    if (&outcome != &outcomes.front()) text += ',';
    text += outcome_text(outcome);
  }
  return text;
}

}  // namespace

// Tasks

void Interpreter::op_spawn(const Json& op) {
  variables_.insert_or_assign(op.at(2), spawn(op.at(1)));
}

void Interpreter::op_await(const Json& op) {
  // A copy: the variable may be given another task meanwhile.
  const Future future = variable(op.at(1));
  log("got " + jumpcut::await(future).text());
}

void Interpreter::op_cancel(const Json& op) {
  const auto found = variables_.find(op.at(1));
  if (found == variables_.end()) {
    log("cancel nothing");
  } else {
    log(std::string("cancel ") + python(found->second.cancel()));
  }
}

void Interpreter::op_cancel_msg(const Json& op) {
  const auto found = variables_.find(op.at(1));
  if (found == variables_.end()) {
    log("cancel nothing");
  } else {
    log(std::string("cancel ") + python(found->second.cancel(Value(op.at(2)).text())));
  }
}

void Interpreter::op_cancel_self(const Json&) {
  jumpcut::current_task().cancel();
}

void Interpreter::op_uncancel(const Json&) {
  log("uncancel " + std::to_string(jumpcut::current_task().uncancel()));
}

void Interpreter::op_cancelling(const Json&) {
  log("cancelling " + std::to_string(jumpcut::current_task().cancelling()));
}

void Interpreter::op_state(const Json& op) {
  const auto found = variables_.find(op.at(1));
  if (found == variables_.end()) {
    log("state nothing");
  } else {
    const Future& future = found->second;
    log(std::string("state done=") + python(future.done()) +
        " cancelled=" + python(future.cancelled()));
  }
}

void Interpreter::op_all_tasks(const Json&) {
  log("tasks " + std::to_string(jumpcut::all_tasks().size()));
}

// Several at once

void Interpreter::op_gather(const Json& op) {
  gather(spawn_each(op.at(1)), op.at(2));
}

void Interpreter::op_gather_vars(const Json& op) {
  gather(named(op.at(1)), op.at(2));
}

template <class Awaitable>
void Interpreter::gather(const std::vector<Awaitable>& children, bool return_exceptions) {
  log("gathered " + (return_exceptions ? joined(jumpcut::gather_results(children))
                                       : joined(jumpcut::gather(children))));
}

void Interpreter::op_wait(const Json& op) {
  static const std::map<std::string, jumpcut::ReturnWhen> whens{
      {"all", jumpcut::ReturnWhen::all_completed},
      {"first", jumpcut::ReturnWhen::first_completed},
      {"exception", jumpcut::ReturnWhen::first_exception},
  };
  const std::vector<Future> futures = named(op.at(1));
  if (futures.empty()) {
    log("wait nothing");
    return;
  }
  const auto when = whens.find(op.at(3));
  if (when == whens.end()) throw ProgramError("KeyError");
  const auto [done, pending] =
      jumpcut::wait(futures, {.timeout = after_if_any(op.at(2)), .return_when = when->second});
  log("waited done=" + std::to_string(done.size()) + " pending=" + std::to_string(pending.size()));
}

void Interpreter::op_as_completed(const Json& op) {
  const std::vector<Task> tasks = spawn_each(op.at(1));
  for (auto first : jumpcut::as_completed(tasks, after_if_any(op.at(2)))) {
    std::string outcome;
    try {
      outcome = jumpcut::await(first).text();
    } catch (const Boom& error) {
      outcome = error.what();
    } catch (const Bang& error) {
      outcome = error.what();
    }
    log("completed " + outcome);
  }
}

void Interpreter::op_group(const Json& op) {
  jumpcut::task_group([&](jumpcut::TaskGroup& group) {
    for (const Json& index : op.at(1)) {
      const std::string name = next_name();
      group.create_task([this, script = index.get<std::size_t>()] { return run_script(script); },
                        {.name = name});
    }
    run_ops(op.at(2));
  });
  log("group done");
}

// Deadlines and shields

void Interpreter::op_timeout(const Json& op) {
  bool expired = false;
  jumpcut::timeout(after_if_any(op.at(1)), [&](jumpcut::Timeout& scope) {
    run_ops(op.at(2));
    expired = scope.expired();
  });
  log(std::string("scope expired=") + python(expired));
}

void Interpreter::op_wait_for(const Json& op) {
  const auto run = [this, script = op.at(1).get<std::size_t>()] { return run_script(script); };
  log("in time " + jumpcut::wait_for(run, after_if_any(op.at(2))).text());
}

void Interpreter::op_wait_for_var(const Json& op) {
  const Future future = variable(op.at(1));
  log("in time " + jumpcut::wait_for(future, after_if_any(op.at(2))).text());
}

void Interpreter::op_shield(const Json& op) {
  const Future future = variable(op.at(1));
  log("shielded " + jumpcut::shield(future).text());
}

}  // namespace conformance
