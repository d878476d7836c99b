#pragma once

/// All of jumpcut.

#include <jumpcut/await_callback.hpp>
#include <jumpcut/cancelled.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/context.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/executor.hpp>
#include <jumpcut/fiber_local.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/handle.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/fiber.hpp>
#include <jumpcut/lowlevel/overflow.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>
#include <jumpcut/run.hpp>
#include <jumpcut/run_on_big_stack.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/thread_future.hpp>
#include <jumpcut/thread_pool.hpp>
#include <jumpcut/threadsafe.hpp>
#include <jumpcut/to_thread.hpp>
