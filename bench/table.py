"""What was measured: table.py [--markdown] results.json [asyncio.json]

    measure | ours | theirs | ratio | median | goal | met

results.json is Google Benchmark's, asyncio.json what asyncio_bench.py printed. Each number is the
best of its repetitions, and `ratio` that of the bests, by which a goal is met; `median` is the ratio
of the medians. `ours` and `theirs` are two benches of one run; a line whose benches were not run, or
not built, is absent. A line without a goal is for information.
"""

import json
import pathlib
import statistics
import sys
from typing import NamedTuple, Optional

KIB = "KiB"  # the counter of benches that measure memory; all others measure time


class Line(NamedTuple):
    measure: str
    ours: str
    theirs: str = ""
    whose: str = ""              # what `theirs` is
    ratio: Optional[float] = None  # the goal: ours at most so much of theirs
    shown: str = ""              # that goal, where a fraction says it better
    kib: Optional[float] = None  # the goal: at most so much


def against(whose, measure, name, ratio=None, shown=""):
    theirs = {"Boost.Context": "boost", "Boost.Fiber": "boost"}[whose]
    return Line(measure, f"{name}.ours", f"{name}.{theirs}", whose, ratio, shown)


def boost(measure, name, theirs, ratio, shown):
    """A task of ours beside a fiber of theirs that does the same."""
    return Line(measure, name, f"{theirs}.boost", "Boost.Fiber", ratio, shown)


def asyncio(measure, name):
    return Line(measure, name, f"{name}.cpython", "asyncio")


def io(measure, name):
    """Our server beside those of other loops. 0.95 of the requests that one loop serves in a second
    is 1.053 of the time for one."""
    return [Line(measure, f"io.{name}.jumpcut", f"io.{name}.epoll", "epoll by hand", 1.053),
            Line("  the same", f"io.{name}.jumpcut", f"io.{name}.libuv", "libuv", 1.0),
            Line("  the same", f"io.{name}.jumpcut", f"io.{name}.asio", "Asio", 1.0)]


def forms(measure, name):
    return Line(measure, f"form.{name}.inlined", f"form.{name}.called", "called form")


LINES = [
    against("Boost.Context", "raw switch, 2 contexts", "switch.two_contexts", 0.7),
    against("Boost.Context", "raw switch, 1,000 in a ring", "switch.ring_1000", 0.45),
    against("Boost.Fiber", "yield, 2 fibers", "fiber.yield_2", 1 / 6, "1/6"),
    against("Boost.Fiber", "yield, 10 fibers", "fiber.yield_10", 1 / 4, "1/4"),
    against("Boost.Fiber", "yield, 1,000 fibers", "fiber.yield_1000", 1 / 3.5, "1/3.5"),
    against("Boost.Fiber", "yield, 20,000 fibers", "fiber.yield_20000", 1 / 3, "1/3"),
    against("Boost.Fiber", "spawn and join", "fiber.spawn_join", 1 / 8, "1/8"),
    against("Boost.Fiber", "1,000 spawned, then joined", "fiber.spawn_1000_join", 1 / 15, "1/15"),
    against("Boost.Fiber", "the same, each yields once", "fiber.spawn_1000_yield_join"),
    against("Boost.Fiber", "ping-pong, park and wake", "fiber.ping_pong", 1 / 10, "1/10"),
    boost("sleep(0), 2 tasks", "task.sleep0_2", "fiber.yield_2", 1 / 6, "1/6"),
    boost("  with a timer set", "task.sleep0_2_timer", "fiber.yield_2", None, ""),
    boost("sleep(0), 10 tasks", "task.sleep0_10", "fiber.yield_10", 1 / 4, "1/4"),
    boost("sleep(0), 1,000 tasks", "task.sleep0_1000", "fiber.yield_1000", 1 / 3.5, "1/3.5"),
    boost("sleep(0), 20,000 tasks", "task.sleep0_20000", "fiber.yield_20000", 1 / 3, "1/3"),
    boost("await(create_task(nop))", "task.create_await", "fiber.spawn_join", 1 / 8, "1/8"),
    boost("1,000 created, then gathered", "task.gather_1000", "fiber.spawn_1000_join", 1 / 15, "1/15"),
    boost("ping-pong over futures", "task.future_ping_pong", "fiber.ping_pong", 1 / 10, "1/10"),
    boost("ping-pong over a rendezvous channel", "task.channel_ping_pong", "fiber.ping_pong", 1 / 6,
          "1/6"),
    Line("sleep(0), 1,000 calls deep", "task.sleep0_at_depth.1000", "task.sleep0_at_depth.1",
         "1 call deep", 1.05),
    Line("yield, 1,000 calls deep", "fiber.yield_at_depth.1000", "fiber.yield_at_depth.1",
         "1 call deep", 1.05),
    Line("timer set and cancelled, 1,000,000 pending", "timer.set_cancel.1000000",
         "timer.set_cancel.1000", "1,000 pending", 3),
    Line("  any of them moved", "timer.reset.1000000", "timer.reset.1000", "1,000 pending"),
    Line("  the soonest taken out and set anew", "timer.pop_set.1000000", "timer.pop_set.1000",
         "1,000 pending"),
    *io("TCP echo, 1 connection", "echo_1"),
    *io("TCP echo, 64 connections", "echo_64"),
    *io("TCP echo, 1,000 connections", "echo_1000"),
    *io("HTTP to wrk, 64 connections", "http_64"),
    Line("first take of a stack, madvise", "stack.first_take.madvise"),
    Line("  mprotect", "stack.first_take.mprotect"),
    Line("  canary", "stack.first_take.canary"),
    Line("memory of a sleeping task", "memory.sleeping.default", kib=5.0),
    Line("the same, stacks of 64 KiB", "memory.sleeping.64_KiB_stacks", kib=4.5),
    Line("memory of a parked fiber", "memory.parked.default", kib=5.0),
    Line("the same, stacks of 64 KiB", "memory.parked.64_KiB_stacks", kib=4.5),
    asyncio("beside CPython: sleep(0), 10 tasks", "task.sleep0_10"),
    asyncio("  await(create_task(nop))", "task.create_await"),
    asyncio("  1,000 created, then gathered", "task.gather_1000"),
    forms("inlined switch: yield", "yield_2"),
    forms("  ping-pong", "ping_pong"),
    forms("  spawn and join", "spawn_join"),
    forms("  yield, and return 10 calls", "yield_and_return_10"),
    forms("  yield, and return 50 calls", "yield_and_return_50"),
]
HEAD = ["measure", "ours", "theirs", "", "ratio", "median", "goal", "met"]


def values_of(results):
    """What each bench's repetitions gave by name, and why others have none."""
    values, skipped = {}, {}
    for run in results["benchmarks"]:
        name = run["name"].split("/")[0]
        if run.get("run_type", "iteration") != "iteration":
            continue
        if run.get("error_occurred"):
            skipped[name] = run["error_message"]
            continue
        # Else CPU time in nanoseconds: the thread's, or a server's, which is measured by hand.
        value = run[KIB] if KIB in run else run["real_time" if "rate" in run else "cpu_time"]
        values.setdefault(name, []).append(value)
    return values, skipped


def row(line, best, median):
    """The cells of a line, or None."""
    ours, theirs = best.get(line.ours), best.get(line.theirs)
    if ours is None or (line.theirs and theirs is None and not line.ours.endswith(".ours")):
        return None
    if line.kib:
        met = "yes" if ours <= line.kib else "no"
        return [line.measure, f"{ours:.2f} KiB", "", "", "", "", f"<= {line.kib:.1f} KiB", met]
    cells = [line.measure, f"{ours:.1f} ns"]
    if theirs is None:
        return cells + ["", "", "", "", "", ""]
    ratio = ours / theirs

    def shown(ratio):
        # As fine as the goal is written, so that nobody reads 0.70 <= 0.7 and "no".
        return f"1/{1 / ratio:.2f}" if line.shown or ratio < 0.1 else f"{ratio:.3f}"

    goal = f"<= {line.shown or line.ratio}" if line.ratio else ""
    met = ("yes" if ratio <= line.ratio else "no") if line.ratio else ""
    return cells + [f"{theirs:.1f} ns", line.whose, shown(ratio),
                    shown(median[line.ours] / median[line.theirs]), goal, met]


def plain(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    to_the_right = (1, 2, 4, 5)
    for cells in rows:
        print("  ".join(cell.rjust(width) if column in to_the_right else cell.ljust(width)
                        for column, (cell, width) in enumerate(zip(cells, widths))).rstrip())


def markdown(rows):
    rows = [[cells[0], cells[1], f"{cells[2]} {cells[3]}".strip(), *cells[4:]] for cells in rows]
    rows.insert(1, ["---", "---:", "---:", "---:", "---:", "---", "---"])
    for cells in rows:
        print(f"| {' | '.join(cell.strip() for cell in cells)} |")


def main():
    as_markdown = "--markdown" in sys.argv
    results, *others = [word for word in sys.argv[1:] if word != "--markdown"]
    values, skipped = values_of(json.loads(pathlib.Path(results).read_text()))
    for path in map(pathlib.Path, others):
        if path.exists():
            values.update(json.loads(path.read_text()))
    best = {name: min(measured) for name, measured in values.items()}
    median = {name: statistics.median(measured) for name, measured in values.items()}
    rows = [cells for line in LINES if (cells := row(line, best, median))]
    if rows:
        (markdown if as_markdown else plain)([HEAD, *rows])
    for name, why in skipped.items():
        print(f"{name} was skipped: {why}")
    named = {name for line in LINES for name in (line.ours, line.theirs)}
    for name in sorted(best.keys() - named):
        print(f"{name}: {best[name]:.1f} (no line of the table)")


main()
