"""The same by CPython's asyncio, for information, as table.py reads it: {name: [nanoseconds of one
operation, repetition by repetition]}. For Python 3.8 or newer."""

import asyncio
import json
import time

REPETITIONS = 5


def repeated(measured):
    return [asyncio.run(measured()) for _ in range(REPETITIONS)]


async def timed(operations, turn):
    await turn()
    begin = time.process_time_ns()
    await turn()
    return (time.process_time_ns() - begin) / operations


def sleep_zero(tasks):
    rounds = max(1, 20_000 // tasks)

    async def sleeps():
        for _ in range(rounds):
            await asyncio.sleep(0)

    async def turn():
        await asyncio.gather(*(sleeps() for _ in range(tasks)))

    return repeated(lambda: timed(rounds * tasks, turn))


async def nop():
    pass


async def create_await():
    for _ in range(5_000):
        await asyncio.create_task(nop())


async def gather_1000():
    await asyncio.gather(*(asyncio.create_task(nop()) for _ in range(1_000)))


print(json.dumps({
    "task.sleep0_10.cpython": sleep_zero(10),
    "task.create_await.cpython": repeated(lambda: timed(5_000, create_await)),
    "task.gather_1000.cpython": repeated(lambda: timed(1_000, gather_1000)),
}))
