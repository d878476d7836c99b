#include "interpreter.hpp"

#include <algorithm>

namespace conformance {
namespace {

// `async with`: what `leave` throws takes the place of what `body` threw.
template <class Body, class Leave>
void scoped(const Body& body, const Leave& leave) {
  try {
    body();
  } catch (...) {
    leave();
    throw;
  }
  leave();
}

}  // namespace

// Futures, callbacks, timers

void Interpreter::op_future(const Json& op) {
  variables_.insert_or_assign(op.at(1), loop_.create_future<Value>());
}

void Interpreter::op_set_result(const Json& op) {
  try {
    variable(op.at(1)).set_result(Value(op.at(2)));
  } catch (const jumpcut::InvalidStateError&) {
    log("invalid state");
  }
}

void Interpreter::op_set_error(const Json& op) {
  try {
    variable(op.at(1)).set_exception(make_error(op.at(2), op.at(3)));
  } catch (const jumpcut::InvalidStateError&) {
    log("invalid state");
  }
}

void Interpreter::op_set_later(const Json& op) {
  const auto fire = [this, future = variable(op.at(2)), value = Value(op.at(3))]() mutable {
    log("fire", "loop");
    if (!future.done()) future.set_result(value);
  };
  loop_.call_later(after(op.at(1)), fire);
}

void Interpreter::op_on_done(const Json& op) {
  const std::string event = "callback " + op.at(2).get<std::string>();
  variable(op.at(1)).add_done_callback([this, event](const Future&) { log(event, "loop"); });
}

void Interpreter::op_call_soon(const Json& op) {
  const std::string event = "soon " + op.at(1).get<std::string>();
  handles_.insert_or_assign(op.at(2), loop_.call_soon([this, event] { log(event, "loop"); }));
}

void Interpreter::op_call_later(const Json& op) {
  const std::string event = "later " + op.at(2).get<std::string>();
  handles_.insert_or_assign(
      op.at(3), loop_.call_later(after(op.at(1)), [this, event] { log(event, "loop"); }));
}

void Interpreter::op_cancel_handle(const Json& op) {
  const auto found = handles_.find(op.at(1));
  if (found != handles_.end()) found->second.cancel();
}

// Synchronisation

void Interpreter::op_lock(const Json& op) {
  const std::string name = op.at(1);
  jumpcut::Lock& lock = locks_[name];
  lock.lock();
  const auto body = [&] {
    log("locked " + name);
    run_ops(op.at(2));
  };
  scoped(body, [&] { lock.unlock(); });
  log("unlocked " + name);
}

void Interpreter::op_semaphore(const Json& op) {
  const std::string name = op.at(1);
  jumpcut::Semaphore& semaphore = semaphores_.try_emplace(name, op.at(2).get<int>()).first->second;
  semaphore.acquire();
  const auto body = [&] {
    log("inside " + name);
    run_ops(op.at(3));
  };
  scoped(body, [&] { semaphore.release(); });
  log("outside " + name);
}

void Interpreter::op_event_wait(const Json& op) {
  const std::string name = op.at(1);
  events_[name].wait();
  log("event " + name);
}

void Interpreter::op_event_set(const Json& op) {
  events_[op.at(1).get<std::string>()].set();
}

void Interpreter::op_event_clear(const Json& op) {
  events_[op.at(1).get<std::string>()].clear();
}

void Interpreter::op_condition_wait(const Json& op) {
  const std::string name = op.at(1);
  jumpcut::Condition& condition = conditions_[name];
  condition.lock();
  const auto body = [&] {
    condition.wait();
    log("notified " + name);
  };
  scoped(body, [&] { condition.unlock(); });
}

void Interpreter::op_condition_notify(const Json& op) {
  jumpcut::Condition& condition = conditions_[op.at(1).get<std::string>()];
  condition.lock();
  const auto count = std::max(0LL, op.at(2).get<long long>());
  scoped([&] { condition.notify(static_cast<std::size_t>(count)); }, [&] { condition.unlock(); });
}

void Interpreter::op_barrier(const Json& op) {
  const std::string name = op.at(1);
  const auto index = barriers_.try_emplace(name, op.at(2).get<int>()).first->second.wait();
  log("passed " + name + " at " + std::to_string(index));
}

// Queues

Interpreter::Queue& Interpreter::queue(const Json& op) {
  const std::string& name = op.at(1).get_ref<const std::string&>();
  const std::string& kind = op.at(3).get_ref<const std::string&>();
  const std::size_t size = op.at(2);
  const auto found = queues_.find(name);
  if (found != queues_.end()) return found->second;
  if (kind == "fifo") {
    return queues_.try_emplace(name, std::in_place_index<0>, size).first->second;
  }
  if (kind == "lifo") {
    return queues_.try_emplace(name, std::in_place_index<1>, size).first->second;
  }
  if (kind == "priority") {
    return queues_.try_emplace(name, std::in_place_index<2>, size).first->second;
  }
  throw ProgramError("KeyError");
}

void Interpreter::op_put(const Json& op) {
  const Value value(op.at(4));
  std::visit([&](auto& queue) { queue.put(value); }, queue(op));
  log("put " + value.text());
}

void Interpreter::op_get(const Json& op) {
  log("get " + std::visit([](auto& queue) { return queue.get(); }, queue(op)).text());
}

void Interpreter::op_put_nowait(const Json& op) {
  const Value value(op.at(4));
  try {
    std::visit([&](auto& queue) { queue.put_nowait(value); }, queue(op));
    log("put " + value.text());
  } catch (const jumpcut::QueueFull&) {
    log("full");
  }
}

void Interpreter::op_get_nowait(const Json& op) {
  try {
    log("get " + std::visit([](auto& queue) { return queue.get_nowait(); }, queue(op)).text());
  } catch (const jumpcut::QueueEmpty&) {
    log("empty");
  }
}

void Interpreter::op_task_done(const Json& op) {
  try {
    std::visit([](auto& queue) { queue.task_done(); }, queue(op));
  } catch (const jumpcut::ValueError&) {
    log("too many task_done");
  }
}

void Interpreter::op_join(const Json& op) {
  std::visit([](auto& queue) { queue.join(); }, queue(op));
  log("joined");
}

void Interpreter::op_shutdown(const Json& op) {
  const bool immediate = op.at(4);
  std::visit([&](auto& queue) { queue.shutdown(immediate); }, queue(op));
}

}  // namespace conformance
