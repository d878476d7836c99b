#pragma once

/// All of jumpcut.

#include <jumpcut/as_completed.hpp>
#include <jumpcut/await_callback.hpp>
#include <jumpcut/barrier.hpp>
#include <jumpcut/call_graph.hpp>
#include <jumpcut/cancelled.hpp>
#include <jumpcut/clock.hpp>
#include <jumpcut/condition.hpp>
#include <jumpcut/context.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/event.hpp>
#include <jumpcut/fiber_local.hpp>
#include <jumpcut/frame.hpp>
#include <jumpcut/future.hpp>
#include <jumpcut/gather.hpp>
#include <jumpcut/handle.hpp>
#include <jumpcut/lock.hpp>
#include <jumpcut/loop.hpp>
#include <jumpcut/lowlevel/context.hpp>
#include <jumpcut/lowlevel/fiber.hpp>
#include <jumpcut/lowlevel/overflow.hpp>
#include <jumpcut/lowlevel/park.hpp>
#include <jumpcut/lowlevel/scheduler.hpp>
#include <jumpcut/lowlevel/stack_pool.hpp>
#include <jumpcut/queue.hpp>
#include <jumpcut/result.hpp>
#include <jumpcut/run.hpp>
#include <jumpcut/run_on_big_stack.hpp>
#include <jumpcut/semaphore.hpp>
#include <jumpcut/shield.hpp>
#include <jumpcut/sleep.hpp>
#include <jumpcut/task.hpp>
#include <jumpcut/wait.hpp>
