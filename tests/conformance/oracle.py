#!/usr/bin/env python3.13
"""Says what CPython's asyncio does with the programs of a file.

usage: oracle.py FILE           a {"name": ..., "trace": ...} for each line of FILE
       oracle.py --record FILE  the lines of FILE themselves, with the trace CPython gives them

The language of the programs is told in README.md; here each op is a method, `op_` and its name, and
its arguments are the method's. A trace needs CPython 3.13 or newer: older ones differ in places.
"""

import asyncio
import gc
import json
import sys
import warnings

from virtual_loop import Deadlock, VirtualLoop

RETURN_WHEN = {
    "all": asyncio.ALL_COMPLETED,
    "first": asyncio.FIRST_COMPLETED,
    "exception": asyncio.FIRST_EXCEPTION,
}
QUEUES = {"fifo": asyncio.Queue, "lifo": asyncio.LifoQueue, "priority": asyncio.PriorityQueue}


class Boom(Exception):
    pass


class Bang(Exception):
    pass


class Return(BaseException):
    """Carries the value of a `return` out of the ops it stands in."""

    def __init__(self, value):
        self.value = value


ERRORS = {"Boom": Boom, "Bang": Bang}


class OrderedTasks(dict):
    """A set that remembers in which order its members came, for a TaskGroup to cancel them in."""

    add = dict.setdefault

    def discard(self, task):
        self.pop(task, None)


class OrderedTaskGroup(asyncio.TaskGroup):
    def __init__(self):
        super().__init__()
        self._tasks = OrderedTasks()


# CPython can never again await a task that once tried to await itself, and says this instead. Nobody
# should copy that: a program that meets it, seen or not, ends with this and is of no use.
QUIRK = "CPythonQuirk"


def is_quirk(error):
    return isinstance(error, RuntimeError) and str(error).startswith("await wasn't used with future")


def error_text(error):
    match error:
        case BaseExceptionGroup():
            return "group(" + ",".join(sorted(map(error_text, error.exceptions))) + ")"
        case asyncio.CancelledError():
            message = error.args[0] if error.args else None
            return f"Cancelled({message})" if message else "Cancelled"
        case Boom() | Bang():
            return f"{type(error).__name__}({error})"
        case TimeoutError():
            return "Timeout"
        case _ if is_quirk(error):
            return QUIRK
        case _:
            return type(error).__name__


def outcome_text(outcome):
    return error_text(outcome) if isinstance(outcome, BaseException) else str(outcome)


def seconds(milliseconds):
    return None if milliseconds is None else milliseconds / 1000


class Interpreter:
    """Runs one program, once."""

    def __init__(self, scripts):
        self.scripts = scripts
        self.loop = VirtualLoop()
        self.trace = []
        self.over = False  # Coroutines that are left behind do nothing any more.
        self.met_quirk = False
        self.spawned = 0
        self.variables = {}
        self.handles = {}
        self.things = {}

    def run_program(self):
        asyncio.set_event_loop(self.loop)
        main = self.loop.create_task(self.script(0), name="main")
        try:
            outcome = f"result {self.loop.run_until_complete(main)}"
        except Deadlock:
            outcome = "deadlock"
        except BaseException as error:
            outcome = f"error {error_text(error)}"
        self.log(QUIRK if self.met_quirk else outcome, "run")
        self.over = True
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False
        self.loop.close()
        return self.trace

    def log(self, event, who=None):
        if who is None:
            task = asyncio.current_task(self.loop)
            who = task.get_name() if task else "loop"
        if not self.over:
            self.trace.append([round(self.loop.microseconds / 1000), who, event])

    async def script(self, index):
        self.log("start")
        try:
            await self.ops(self.scripts[index])
        except Return as done:
            self.log(f"return {done.value}")
            return done.value
        except BaseException as error:
            self.log(f"leave {error_text(error)}")
            raise
        self.log("end")

    async def ops(self, ops):
        for name, *arguments in ops:
            if self.over:
                continue
            try:
                await getattr(self, "op_" + name)(*arguments)
            except RuntimeError as error:
                self.met_quirk |= is_quirk(error)
                raise

    def spawn(self, index, create_task=None):
        self.spawned += 1
        return (create_task or self.loop.create_task)(self.script(index), name=f"T{self.spawned}")

    def named(self, variables):
        """The futures of those variables that are set."""
        return [self.variables[variable] for variable in variables if variable in self.variables]

    def thing(self, kind, name, make):
        """The lock, event, queue... of that name; made by the first op that speaks of it."""
        if (kind, name) not in self.things:
            self.things[kind, name] = make()
        return self.things[kind, name]

    # Control

    async def op_log(self, text):
        self.log(text)

    async def op_sleep(self, ms):
        await asyncio.sleep(ms / 1000)

    async def op_return(self, value):
        raise Return(value)

    async def op_raise(self, kind, text):
        raise ERRORS[kind](text)

    async def op_guard(self, variable, op):
        if variable in self.variables:
            await self.ops([op])
        else:
            self.log(f"no {variable}")

    async def op_repeat(self, times, ops):
        for _ in range(times):
            await self.ops(ops)

    async def op_try(self, body, catch, final):
        try:
            await self.ops(body)
        except Return:
            raise
        except BaseException as error:
            if catch == "none" or catch == "error" and not isinstance(error, Exception):
                raise
            self.log(f"caught {error_text(error)}")
        finally:
            await self.ops(final)

    async def op_call(self, index):
        self.log(f"called {await self.script(index)}")

    # Tasks

    async def op_spawn(self, index, variable):
        self.variables[variable] = self.spawn(index)

    async def op_await(self, variable):
        self.log(f"got {await self.variables[variable]}")

    async def op_cancel(self, variable):
        await self.op_cancel_msg(variable)

    async def op_cancel_msg(self, variable, *message):
        if variable in self.variables:
            self.log(f"cancel {self.variables[variable].cancel(*message)}")
        else:
            self.log("cancel nothing")

    async def op_cancel_self(self):
        asyncio.current_task().cancel()

    async def op_uncancel(self):
        self.log(f"uncancel {asyncio.current_task().uncancel()}")

    async def op_cancelling(self):
        self.log(f"cancelling {asyncio.current_task().cancelling()}")

    async def op_state(self, variable):
        if variable in self.variables:
            future = self.variables[variable]
            self.log(f"state done={future.done()} cancelled={future.cancelled()}")
        else:
            self.log("state nothing")

    async def op_all_tasks(self):
        self.log(f"tasks {len(asyncio.all_tasks())}")

    # Several at once

    async def op_gather(self, indexes, return_exceptions):
        await self.gather([self.spawn(index) for index in indexes], return_exceptions)

    async def op_gather_vars(self, variables, return_exceptions):
        await self.gather(self.named(variables), return_exceptions)

    async def gather(self, futures, return_exceptions):
        outcomes = await asyncio.gather(*futures, return_exceptions=return_exceptions)
        self.log("gathered " + ",".join(map(outcome_text, outcomes)))

    async def op_wait(self, variables, ms, return_when):
        futures = self.named(variables)
        if not futures:
            self.log("wait nothing")
            return
        done, pending = await asyncio.wait(futures, timeout=seconds(ms),
                                           return_when=RETURN_WHEN[return_when])
        self.log(f"waited done={len(done)} pending={len(pending)}")

    async def op_as_completed(self, indexes, ms):
        tasks = [self.spawn(index) for index in indexes]
        for first in asyncio.as_completed(tasks, timeout=seconds(ms)):
            try:
                outcome = await first
            except (Boom, Bang) as error:
                outcome = error
            self.log(f"completed {outcome_text(outcome)}")

    async def op_group(self, indexes, body):
        async with OrderedTaskGroup() as group:
            for index in indexes:
                self.spawn(index, group.create_task)
            await self.ops(body)
        self.log("group done")

    # Deadlines and shields

    async def op_timeout(self, ms, body):
        async with asyncio.timeout(seconds(ms)) as scope:
            await self.ops(body)
        self.log(f"scope expired={scope.expired()}")

    async def op_wait_for(self, index, ms):
        self.log(f"in time {await asyncio.wait_for(self.script(index), seconds(ms))}")

    async def op_wait_for_var(self, variable, ms):
        self.log(f"in time {await asyncio.wait_for(self.variables[variable], seconds(ms))}")

    async def op_shield(self, variable):
        self.log(f"shielded {await asyncio.shield(self.variables[variable])}")

    # Futures, callbacks, timers

    async def op_future(self, variable):
        self.variables[variable] = self.loop.create_future()

    async def op_set_result(self, variable, value):
        self.settle(self.variables[variable].set_result, value)

    async def op_set_error(self, variable, kind, text):
        self.settle(self.variables[variable].set_exception, ERRORS[kind](text))

    def settle(self, set_outcome, outcome):
        try:
            set_outcome(outcome)
        except asyncio.InvalidStateError:
            self.log("invalid state")

    async def op_set_later(self, ms, variable, value):
        future = self.variables[variable]

        def fire():
            self.log("fire", "loop")
            if not future.done():
                future.set_result(value)

        self.loop.call_later(ms / 1000, fire)

    async def op_on_done(self, variable, text):
        self.variables[variable].add_done_callback(lambda _: self.log(f"callback {text}", "loop"))

    async def op_call_soon(self, text, handle):
        self.handles[handle] = self.loop.call_soon(self.log, f"soon {text}", "loop")

    async def op_call_later(self, ms, text, handle):
        self.handles[handle] = self.loop.call_later(ms / 1000, self.log, f"later {text}", "loop")

    async def op_cancel_handle(self, handle):
        if handle in self.handles:
            self.handles[handle].cancel()

    # Synchronisation

    async def op_lock(self, name, body):
        async with self.thing("lock", name, asyncio.Lock):
            self.log(f"locked {name}")
            await self.ops(body)
        self.log(f"unlocked {name}")

    async def op_semaphore(self, name, value, body):
        async with self.thing("semaphore", name, lambda: asyncio.Semaphore(value)):
            self.log(f"inside {name}")
            await self.ops(body)
        self.log(f"outside {name}")

    def event(self, name):
        return self.thing("event", name, asyncio.Event)

    async def op_event_wait(self, name):
        await self.event(name).wait()
        self.log(f"event {name}")

    async def op_event_set(self, name):
        self.event(name).set()

    async def op_event_clear(self, name):
        self.event(name).clear()

    def condition(self, name):
        return self.thing("condition", name, asyncio.Condition)

    async def op_condition_wait(self, name):
        async with self.condition(name):
            await self.condition(name).wait()
            self.log(f"notified {name}")

    async def op_condition_notify(self, name, count):
        async with self.condition(name):
            self.condition(name).notify(count)

    async def op_barrier(self, name, parties):
        index = await self.thing("barrier", name, lambda: asyncio.Barrier(parties)).wait()
        self.log(f"passed {name} at {index}")

    # Queues

    def queue(self, name, size, kind):
        return self.thing("queue", name, lambda: QUEUES[kind](size))

    async def op_put(self, name, size, kind, value):
        await self.queue(name, size, kind).put(value)
        self.log(f"put {value}")

    async def op_get(self, name, size, kind):
        self.log(f"get {await self.queue(name, size, kind).get()}")

    async def op_put_nowait(self, name, size, kind, value):
        try:
            self.queue(name, size, kind).put_nowait(value)
            self.log(f"put {value}")
        except asyncio.QueueFull:
            self.log("full")

    async def op_get_nowait(self, name, size, kind):
        try:
            self.log(f"get {self.queue(name, size, kind).get_nowait()}")
        except asyncio.QueueEmpty:
            self.log("empty")

    async def op_task_done(self, name, size, kind):
        try:
            self.queue(name, size, kind).task_done()
        except ValueError:
            self.log("too many task_done")

    async def op_join(self, name, size, kind):
        await self.queue(name, size, kind).join()
        self.log("joined")

    async def op_shutdown(self, name, size, kind, immediate):
        self.queue(name, size, kind).shutdown(immediate)


def trace_of(scripts):
    # CPython forgets a waiting task that nobody holds, whenever the collector comes by. Here it
    # comes between two programs only, and coroutines that it closes then have nothing to say.
    gc.disable()
    try:
        return Interpreter(scripts).run_program()
    finally:
        gc.enable()


def main(arguments):
    if sys.version_info < (3, 13):
        sys.exit("oracle.py: the reference is CPython 3.13 or newer, this is " + sys.version)
    if not arguments or arguments[0].startswith("-") and arguments[0] != "--record":
        sys.exit(__doc__)
    record = arguments[0] == "--record"
    warnings.simplefilter("ignore")  # scripts that were never awaited
    sys.unraisablehook = lambda error: None
    for path in arguments[1 if record else 0:]:
        with open(path) as file:
            for program in map(json.loads, file):
                trace = trace_of(program["scripts"])
                kept = program if record else {"name": program["name"]}
                print(json.dumps({**kept, "trace": trace}))


if __name__ == "__main__":
    main(sys.argv[1:])
