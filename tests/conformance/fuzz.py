#!/usr/bin/env python3.13
"""Looks for programs on which jumpcut and CPython differ. Wants CPython 3.13 or newer.

usage: fuzz.py RUNNER SEED COUNT [KEEP]

Runs the generator's programs of COUNT seeds from SEED on, in both. Of those that differ the first
KEEP (5) are made as small as they go and printed; the others are only counted.
"""

import copy
import json
import subprocess
import sys
import tempfile
import warnings

from generate import program_of
from oracle import QUIRK, trace_of

BATCH = 500
SECONDS = 20  # a batch takes much less than one


def traces_of(runner, path, timeout=None):
    """The traces of the programs in the file, in their order, and the runner's status. If it dies,
    some are missing."""
    ran = subprocess.run([runner, path], stdout=subprocess.PIPE, text=True, timeout=timeout)
    whole_lines = ran.stdout.split("\n")[:-1]
    return [json.loads(line)["trace"] for line in whole_lines], ran.returncode


def difference(expected, trace):
    """The first row that differs, as text; None if there is none."""
    if expected == trace:
        return None
    row = next((row for row, (left, right) in enumerate(zip(expected, trace)) if left != right),
               min(len(expected), len(trace)))
    at = lambda rows: json.dumps(rows[row]) if row < len(rows) else "nothing"
    return f"row {row}: CPython has {at(expected)}, jumpcut {at(trace)}"


def run_all(runner, programs):
    """The runner's trace of each program; what went wrong with it, in place of one it died of."""
    if not programs:
        return []
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(program) + "\n" for program in programs)
        file.flush()
        try:
            traces, status = traces_of(runner, file.name, SECONDS)
            end = f"died with status {status}"
        except subprocess.TimeoutExpired:
            traces, status = [], None
            end = "did not end"
    if len(traces) == len(programs) and status == 0:
        return traces
    if len(programs) == 1:
        return [[[0, "runner", end]]]
    middle = len(programs) // 2
    return run_all(runner, programs[:middle]) + run_all(runner, programs[middle:])


def differing(runner, programs):
    """(program, CPython's trace, the runner's) of those that differ."""
    expected = [trace_of(program["scripts"]) for program in programs]
    for program, right, trace in zip(programs, expected, run_all(runner, programs)):
        if right != trace and right[-1][2] != QUIRK:
            yield program, right, trace


def smaller(scripts):
    """Copies of `scripts` with one thing less, the big things first."""
    for index in range(1, len(scripts)):
        if scripts[index]:
            yield scripts[:index] + [[]] + scripts[index + 1:]
    for path, body in bodies([], scripts):
        for place, op in enumerate(body):
            # The op away, or what is in it in its place.
            for instead in [[]] + [inner for _, inner in bodies([], op)]:
                copied = copy.deepcopy(scripts)
                target = copied
                for step in path:
                    target = target[step]
                target[place:place + 1] = copy.deepcopy(instead)
                yield copied
            if op[0] in ("gather", "group", "as_completed", "wait", "gather_vars"):
                for child in range(len(op[1])):
                    copied = copy.deepcopy(scripts)
                    target = copied
                    for step in path:
                        target = target[step]
                    del target[place][1][child]
                    yield copied


def bodies(path, node):
    """The lists of ops within, each with its path."""
    for index, inner in enumerate(node):
        if isinstance(inner, list):
            if all(isinstance(op, list) for op in inner):
                yield path + [index], inner
            yield from bodies(path + [index], inner)


def minimised(runner, found):
    while True:
        programs = [{"name": found[0]["name"], "scripts": scripts}
                    for scripts in smaller(found[0]["scripts"])]
        sooner = next(differing(runner, programs), None)
        if sooner is None:
            return found
        found = sooner


def main(arguments):
    if not 3 <= len(arguments) <= 4:
        sys.exit(__doc__)
    runner = arguments[0]
    first, count, keep = map(int, [*arguments[1:], "5"][:3])
    warnings.simplefilter("ignore")  # scripts that were never awaited
    sys.unraisablehook = lambda error: None
    total = 0
    for start in range(first, first + count, BATCH):
        programs = [program_of(seed) for seed in range(start, min(start + BATCH, first + count))]
        for found in differing(runner, programs):
            total += 1
            if total <= keep:
                program, expected, trace = minimised(runner, found)
                print(json.dumps({**program, "trace": expected}))
                print(f"  {difference(expected, trace)}", flush=True)
    print(f"{count} programs, {total} differ")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
