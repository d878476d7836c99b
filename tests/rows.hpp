// What the tests of rows share. A row is a behaviour of asyncio that programs rely upon without
// knowing it, mostly an order of events. There are forty, in the files rows_*_test.cpp: [row-1] to
// [row-9] are turns of the loop, [row-10] to [row-18] cancellation, [row-19] to [row-30] waiting
// for several, deadlines and groups, [row-31] to [row-34] locks and queues, [row-35] to [row-40]
// errors, contexts and the life of a loop. What each expects is what CPython 3.13 does.

#pragma once

#include <jumpcut/jumpcut.hpp>

#include <string>

#include "log.hpp"
#include "on_loop.hpp"

/// Runs body(log) as a loop's main task, and returns the log.
template <class Body>
std::string row(Body body) {
  Log log;
  on_loop([&] { body(log); });
  return log.text();
}

/// Enqueues a call that logs.
inline void soon(Log& log, const std::string& what) {
  jumpcut::get_running_loop().call_soon([&log, what] { log(what); });
}
