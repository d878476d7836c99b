// Calls that can't be made, and what they must say. Each is refused by an exception of a named type
// whose text has the call, what it concerns, and what to do instead; what was there before goes on.

#pragma once

#include <jumpcut/jumpcut.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

#include <catch2/catch.hpp>

#include "on_loop.hpp"

struct Misuse {
  const char* what;
  void (*call)();
  const std::type_info* type;
  std::vector<std::string> says;
};

/// "type: text" of what it throws, compared with what it should be.
inline void check_refused(const Misuse& misuse) {
  INFO(misuse.what);
  try {
    misuse.call();
  } catch (const Catch::TestFailureException&) {
    throw;
  } catch (const std::exception& error) {
    INFO(error.what());
    CHECK(std::string(typeid(error).name()) == misuse.type->name());
    for (const std::string& words : misuse.says) CHECK_THAT(error.what(), Catch::Contains(words));
    return;
  }
  FAIL_CHECK("it was not refused");
}

/// Each in the main task of a loop of its own, which must go on and end well afterwards.
template <std::size_t count>
void check_refused_in_tasks(const Misuse (&all)[count]) {
  for (const Misuse& misuse : all) {
    bool went_on = false;
    on_loop([&] {
      check_refused(misuse);
      jumpcut::sleep(1s);
      went_on = jumpcut::await(jumpcut::create_task([] { return true; }));
    });
    INFO(misuse.what);
    CHECK(went_on);
  }
}

/// Each where no loop runs.
template <std::size_t count>
void check_refused_outside(const Misuse (&all)[count]) {
  for (const Misuse& misuse : all) check_refused(misuse);
}

/// Throws what function() throws in a thread of its own.
template <class Function>
void on_thread(Function function) {
  std::exception_ptr error;
  std::thread([&] {
    try {
      function();
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error != nullptr) std::rethrow_exception(error);
}

/// Throws what function() throws in a callback of the running loop.
template <class Function>
void in_callback(Function function) {
  jumpcut::Future<> done;
  jumpcut::get_running_loop().call_soon([&] {
    try {
      function();
      done.set_result();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  jumpcut::await(done);
}
