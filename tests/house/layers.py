"""Includes go in one direction only:

    base <- context, stack <- fiber <- task <- loop <- sync, executor <- io <- adapt

and debug reads all of them, while nothing reads it. A layer is a folder of lib/; a public header
belongs to the layer that implements it, and a new one is added to the table below.
"""

import re

from house import files, finish, lines

BELOW = [["base"], ["context", "stack"], ["fiber"], ["task"], ["loop"], ["sync", "executor"],
         ["io"], ["adapt"], ["debug"]]
UMBRELLA = "all"  # headers that only gather others
USES = {layer: {layer, *sum(BELOW[:rank], [])} for rank, row in enumerate(BELOW) for layer in row}
USES[UMBRELLA] = {UMBRELLA, *USES}

PUBLIC = {
    "jumpcut.hpp": UMBRELLA,
    "jumpcut.h": UMBRELLA,

    "cancelled.hpp": "base",
    "error.hpp": "base",
    "exception_group.hpp": "base",
    "impl/config.hpp": "base",
    "impl/export.hpp": "base",
    "impl/memory.hpp": "base",
    "impl/saved.hpp": "base",
    "impl/source_location.hpp": "base",

    "impl/switch.hpp": "context",
    "lowlevel/context.hpp": "context",

    "lowlevel/overflow.hpp": "stack",
    "lowlevel/stack_pool.hpp": "stack",

    "fiber_local.hpp": "fiber",
    "impl/core.hpp": "fiber",
    "impl/job.hpp": "fiber",
    "impl/listener.hpp": "fiber",
    "impl/ready_queue.hpp": "fiber",
    "lowlevel/fiber.hpp": "fiber",
    "lowlevel/park.hpp": "fiber",
    "lowlevel/scheduler.hpp": "fiber",
    "run_on_big_stack.hpp": "fiber",

    "context.hpp": "task",
    "frame.hpp": "task",
    "future.hpp": "task",
    "gather.hpp": "task",
    "generator.hpp": "task",
    "impl/bindings.hpp": "task",
    "impl/body.hpp": "task",
    "impl/children.hpp": "task",
    "impl/future_base.hpp": "task",
    "impl/gather_base.hpp": "task",
    "impl/generator_base.hpp": "task",
    "impl/handle_state.hpp": "task",
    "impl/scope_base.hpp": "task",
    "impl/task_base.hpp": "task",
    "impl/task_space.hpp": "task",
    "impl/typed_states.hpp": "task",
    "result.hpp": "task",
    "shield.hpp": "task",
    "task.hpp": "task",
    "task_group.hpp": "task",

    "as_completed.hpp": "loop",
    "await_callback.hpp": "loop",
    "cancel_scope.hpp": "loop",
    "clock.hpp": "loop",
    "handle.hpp": "loop",
    "impl/cache_line.hpp": "base",
    "impl/callback_ticket.hpp": "loop",
    "impl/deadline.hpp": "loop",
    "impl/loop_handle.hpp": "loop",
    "impl/posted_callback.hpp": "loop",
    "loop.hpp": "loop",
    "run.hpp": "loop",
    "sleep.hpp": "loop",
    "testing.hpp": "loop",
    "timeout.hpp": "loop",
    "wait.hpp": "loop",
    "wait_for.hpp": "loop",

    "address.hpp": "io",
    "descriptor.hpp": "io",
    "file.hpp": "io",
    "impl/remote_job.hpp": "io",
    "impl/remote_value.hpp": "io",
    "names.hpp": "io",
    "pool_server.hpp": "io",
    "process.hpp": "io",
    "process_pool.hpp": "io",
    "protocol.hpp": "io",
    "server.hpp": "io",
    "socket.hpp": "io",
    "stream.hpp": "io",
    "transport.hpp": "io",
    "wait_fd.hpp": "io",

    "barrier.hpp": "sync",
    "channel.hpp": "sync",
    "condition.hpp": "sync",
    "event.hpp": "sync",
    "impl/channel_base.hpp": "sync",
    "impl/queue_base.hpp": "sync",
    "impl/queue_items.hpp": "sync",
    "impl/select_base.hpp": "sync",
    "impl/wait_queue.hpp": "sync",
    "lock.hpp": "sync",
    "queue.hpp": "sync",
    "select.hpp": "sync",
    "semaphore.hpp": "sync",

    "executor.hpp": "executor",
    "impl/executor_future.hpp": "executor",
    "impl/thread_state.hpp": "executor",
    "loop_pool.hpp": "executor",
    "thread_future.hpp": "executor",
    "thread_pool.hpp": "executor",
    "threadsafe.hpp": "executor",
    "to_thread.hpp": "executor",

    "call_graph.hpp": "debug",
}


def layer_of(path):
    """The layer of a file of the project, or None."""
    top, *rest = path.parts
    if top == "lib" and len(rest) > 1:
        return rest[0] if rest[0] in USES else None
    if top == "include":
        return PUBLIC.get("/".join(rest[1:]).removesuffix(".in"))
    return "context" if top == "asm" else None


def layer_included(path, name, public):
    """The layer that `#include <name>` or "name" in `path` leads to; `...` if it isn't ours."""
    if public:
        return PUBLIC.get(name.removeprefix("jumpcut/")) if name.startswith("jumpcut/") else ...
    folder, slash, _ = name.partition("/")
    return (folder if folder in USES else None) if slash else layer_of(path)


def complaints():
    for path in files("lib", "include", "asm", suffixes=(".c", ".cpp", ".h", ".hpp", ".S", ".in")):
        layer = layer_of(path)
        if layer is None:
            yield f"{path}: of no known layer: add it to tests/house/layers.py"
            continue
        for number, line in enumerate(lines(path), 1):
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if not include:
                continue
            public, name = include[1] == "<", include[2]
            where = f"{path}:{number}: {line.strip()}"
            target = layer_included(path, name, public)
            if target is None:
                yield f"{where}: of no known layer: add it to tests/house/layers.py"
            elif target is not ... and target not in USES[layer]:
                yield f"{where}: {layer} must not use {target}"
            elif path.parts[0] == "include" and not public:
                yield f"{where}: a public header includes <jumpcut/...> only"


finish(list(complaints()))
