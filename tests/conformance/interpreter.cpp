#include "interpreter.hpp"

#include <algorithm>

namespace conformance {

Interpreter::Interpreter(const Json& scripts)
    : scripts_(scripts), loop_({.clock = &clock_, .watchdog = false}) {
  // As in Python's runs: what nobody asks for is no row of the trace.
  loop_.set_exception_handler([](const jumpcut::ErrorContext&) {});
}

Json Interpreter::run_program() {
  log(run_main(), "run");
  over_ = true;
  loop_.close();
  return std::move(trace_);
}

std::string Interpreter::run_main() {
  try {
    const Task main = loop_.create_task([this] { return run_script(0); }, {.name = "main"});
    return "result " + loop_.run_until_complete(main).text();
  } catch (const jumpcut::Deadlock&) {
    return "deadlock";
  } catch (...) {
    return "error " + error_text(std::current_exception());
  }
}

void Interpreter::log(const std::string& event) {
  const auto task = jumpcut::current_task();
  log(event, task ? task.name() : "loop");
}

void Interpreter::log(const std::string& event, const std::string& who) {
  if (!over_) trace_.push_back({clock_.milliseconds(), who, event});
}

Value Interpreter::run_script(std::size_t index) {
  log("start");
  try {
    if (index >= scripts_.size()) throw ProgramError("IndexError");
    run_ops(scripts_[index]);
  } catch (const Return& done) {
    log("return " + done.value.text());
    return done.value;
  } catch (...) {
    log("leave " + error_text(std::current_exception()));
    throw;
  }
  log("end");
  return Value();
}

void Interpreter::run_ops(const Json& ops) {
  for (const Json& op : ops) run_op(op);
}

void Interpreter::run_op(const Json& op) {
  if (over_) return;
  try {
    const auto found = table().find(op.at(0).get_ref<const std::string&>());
    if (found == table().end()) throw ProgramError("AttributeError");
    (this->*found->second)(op);
  } catch (const Json::exception&) {  // an argument that is missing, or of another type
    throw ProgramError("TypeError");
  }
}

std::string Interpreter::next_name() {
  return "T" + std::to_string(++spawned_);
}

Interpreter::Task Interpreter::spawn(std::size_t index) {
  const std::string name = next_name();
  return loop_.create_task([this, index] { return run_script(index); }, {.name = name});
}

std::vector<Interpreter::Task> Interpreter::spawn_each(const Json& indexes) {
  std::vector<Task> tasks;
  for (const Json& index : indexes) tasks.push_back(spawn(index));
  return tasks;
}

Interpreter::Future& Interpreter::variable(const Json& name) {
  const auto found = variables_.find(name);
  if (found == variables_.end()) throw ProgramError("KeyError");
  return found->second;
}

std::vector<Interpreter::Future> Interpreter::named(const Json& variables) {
  std::vector<Future> futures;
  for (const Json& name : variables) {
    const auto found = variables_.find(name);
    if (found != variables_.end()) futures.push_back(found->second);
  }
  return futures;
}

std::chrono::nanoseconds Interpreter::after(const Json& milliseconds) {
  return clock_.delay(milliseconds);
}

std::optional<std::chrono::nanoseconds> Interpreter::after_if_any(const Json& milliseconds) {
  if (milliseconds.is_null()) return std::nullopt;
  return after(milliseconds);
}

// Control

void Interpreter::op_log(const Json& op) {
  log(op.at(1));
}

void Interpreter::op_sleep(const Json& op) {
  jumpcut::sleep(after(op.at(1)));
}

void Interpreter::op_return(const Json& op) {
  throw Return{Value(op.at(1))};
}

void Interpreter::op_raise(const Json& op) {
  std::rethrow_exception(make_error(op.at(1), op.at(2)));
}

void Interpreter::op_guard(const Json& op) {
  if (variables_.count(op.at(1)) != 0) {
    run_op(op.at(2));
  } else {
    log("no " + op.at(1).get<std::string>());
  }
}

void Interpreter::op_repeat(const Json& op) {
  for (long long times = op.at(1); times > 0; --times) run_ops(op.at(2));
}

void Interpreter::op_try(const Json& op) {
  const std::string& take = op.at(2).get_ref<const std::string&>();
  try {
    try {
      run_ops(op.at(1));
    } catch (const Return&) {
      throw;
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      if (take == "none" || (take == "error" && !is_ordinary(error))) throw;
      log("caught " + error_text(error));
    }
  } catch (...) {
    run_ops(op.at(3));
    throw;
  }
  run_ops(op.at(3));
}

void Interpreter::op_call(const Json& op) {
  log("called " + run_script(op.at(1)).text());
}

}  // namespace conformance
